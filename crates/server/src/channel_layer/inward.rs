//! What comes from one Redis server, on its way to the sockets.

use std::{sync::Arc, time::Duration};

use super::{
    codec::{Codec, Message},
    groups::Groups,
    names::Names,
    redis::Queue,
};
use crate::{
    clock::SharedClock,
    telemetry::{Metrics, Seldom},
};

/// Takes messages, and knows whose they are. It never waits.
pub(super) struct Inward {
    pub(super) names: Names,
    pub(super) groups: Arc<Groups>,
    /// Of the layer `core`; none otherwise.
    pub(super) queues: Vec<Queue>,
    /// How long a membership lasts on the layer `core`.
    pub(super) group_expiry: Duration,
    pub(super) codec: Arc<Codec>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) clock: SharedClock,
    /// Says that something could not be read.
    pub(super) undecodable: Seldom,
}

impl Inward {
    /// A message came on a channel of the layer `pubsub`.
    pub(super) fn published(&self, channel: &str, bytes: &[u8]) {
        if let Some(message) = self.decode(bytes).filter(|message| !message.is_ours) {
            self.groups.send(channel, &message.event);
        }
    }

    /// A message stood in a queue of the layer `core`.
    pub(super) fn queued(&self, bytes: &[u8]) {
        let Some(message) = self.decode(bytes) else { return };
        for tag in message.channels.iter().filter_map(|channel| self.own_tag(channel)) {
            self.groups.send(tag, &message.event);
        }
    }

    /// What names the group in a channel of ours.
    fn own_tag<'a>(&self, channel: &'a str) -> Option<&'a str> {
        self.queues.iter().find_map(|queue| channel.strip_prefix(queue.process.as_str()))
    }

    /// The queue that has the messages of a group.
    pub(super) fn queue_of(&self, group: &str) -> &Queue {
        let place = group.bytes().fold(0, |sum: usize, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        &self.queues[place % self.queues.len()]
    }

    /// Unix seconds, as senders write them.
    #[expect(clippy::cast_precision_loss, reason = "microseconds of this century fit into 53 bits")]
    pub(super) fn now(&self) -> f64 {
        self.clock.now().as_micros() as f64 / 1_000_000.0
    }

    fn decode(&self, bytes: &[u8]) -> Option<Message> {
        let message = self.codec.decode(bytes);
        self.metrics.channel_layer_message(message.is_some());
        if message.is_none() && self.undecodable.is_due() {
            tracing::warn!(
                bytes = bytes.len(),
                "a message of the channel layer cannot be read: compare CHANNEL_LAYER_BACKEND, _SERIALIZER and \
                 _ENCRYPTION_KEYS with Django's CHANNEL_LAYERS"
            );
        }
        message
    }
}
