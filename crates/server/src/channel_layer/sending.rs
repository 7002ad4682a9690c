//! Does what `group_send` of `channels_redis` does, for many events at a time.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::{Map, Value, json};
use tokio::sync::{Mutex, mpsc};

use super::{
    codec::{CHANNELS, Codec},
    names::{Names, host_of},
    outlet::Sending,
    redis::{Entry, Failure, Publisher, is_ours},
    settings::Backend,
};
use crate::{
    clock::SharedClock,
    telemetry::{Metrics, Seldom},
};

/// Events that wait while Redis cannot take them.
pub(super) const QUEUE: usize = 10_000;
/// Events that are sent together.
const BATCH: usize = 100;
/// How far two messages are apart: by their times, queues are kept in order.
const STEP: f64 = 0.000_001;

/// Sends what comes out of the queue.
pub(super) struct Sender {
    pub(super) backend: Backend,
    pub(super) names: Names,
    pub(super) codec: Arc<Codec>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) clock: SharedClock,
    pub(super) expiry: Duration,
    pub(super) group_expiry: Duration,
    pub(super) capacity: u32,
    pub(super) hosts: usize,
    pub(super) work: Mutex<Work>,
    /// Says that events are lost.
    pub(super) failing: Seldom,
}

/// What is used as long as it runs.
pub(super) struct Work {
    pub(super) queue: mpsc::Receiver<Sending>,
    pub(super) publisher: Publisher,
    /// The time of the last message.
    pub(super) last: f64,
}

impl Sender {
    /// Sends for as long as the server runs.
    pub(super) async fn run(&self) {
        let mut work = self.work.lock().await;
        let mut batch = Vec::with_capacity(BATCH);
        while work.queue.recv_many(&mut batch, BATCH).await > 0 {
            let sent = match self.backend {
                Backend::Pubsub => self.publish(&mut work.publisher, &batch).await,
                Backend::Core => self.enqueue(&mut work, &batch).await,
            };
            match sent {
                Ok(refused) => self.count(batch.len(), refused),
                Err(error) => {
                    self.metrics.channel_layer_dropped(batch.len() as u64);
                    if self.failing.is_due() {
                        tracing::warn!(%error, "events for Django's consumers are lost: the channel layer is away");
                    }
                }
            }
            batch.clear();
        }
    }

    fn count(&self, sent: usize, refused: u64) {
        self.metrics.channel_layer_sent(sent as u64);
        self.metrics.channel_layer_dropped(refused);
        if refused > 0 && self.failing.is_due() {
            tracing::warn!(refused, "Django's consumers are behind: their queues are full, and events are dropped");
        }
    }

    async fn publish(&self, publisher: &mut Publisher, batch: &[Sending]) -> Result<u64, Failure> {
        let mut messages: BTreeMap<usize, Vec<(String, Vec<u8>)>> = BTreeMap::new();
        for Sending { group, event } in batch {
            let channel = self.names.pubsub_channel(group);
            if let Some(bytes) = self.codec.encode(event) {
                messages.entry(host_of(&channel, self.hosts)).or_default().push((channel, bytes));
            }
        }
        for (host, messages) in messages {
            publisher.publish(host, &messages).await?;
        }
        Ok(0)
    }

    /// Gives how many messages were refused by full queues.
    async fn enqueue(&self, work: &mut Work, batch: &[Sending]) -> Result<u64, Failure> {
        let members = self.members(&mut work.publisher, batch).await?;
        let mut entries: BTreeMap<usize, Vec<Entry>> = BTreeMap::new();
        for (Sending { event, .. }, members) in batch.iter().zip(members) {
            work.last = self.now().max(work.last + STEP);
            for (process, channels) in by_process(members) {
                let entry = self.entry(&process, event, channels, work.last);
                entries.entry(host_of(&process, self.hosts)).or_default().extend(entry);
            }
        }
        let mut refused = 0;
        for (host, entries) in entries {
            refused += work.publisher.enqueue(host, &entries, self.expiry, self.capacity).await?;
        }
        Ok(refused)
    }

    /// The members of each group, in the order of the batch.
    async fn members(&self, publisher: &mut Publisher, batch: &[Sending]) -> Result<Vec<Vec<String>>, Failure> {
        let oldest = self.now() - self.group_expiry.as_secs_f64();
        let mut members = vec![Vec::new(); batch.len()];
        for host in 0..self.hosts {
            let here = |(_, sending): &(usize, &Sending)| host_of(&sending.group, self.hosts) == host;
            let (places, sets): (Vec<_>, Vec<_>) = batch
                .iter()
                .enumerate()
                .filter(here)
                .map(|(place, sending)| (place, self.names.group_set(&sending.group)))
                .unzip();
            if !sets.is_empty() {
                let found = publisher.members(host, &sets, oldest).await?;
                places.into_iter().zip(found).for_each(|(place, found)| members[place] = found);
            }
        }
        Ok(members)
    }

    fn entry(&self, process: &str, event: &Map<String, Value>, channels: Vec<String>, time: f64) -> Option<Entry> {
        let mut event = event.clone();
        event.insert(CHANNELS.to_owned(), json!(channels));
        Some(Entry { queue: self.names.queue(process), bytes: self.codec.encode(&event)?, time })
    }

    #[expect(clippy::cast_precision_loss, reason = "microseconds of this century fit into 53 bits")]
    fn now(&self) -> f64 {
        self.clock.now().as_micros() as f64 / 1_000_000.0
    }
}

/// The channels of each process but those of our kind, whose nodes know already.
fn by_process(members: Vec<String>) -> BTreeMap<String, Vec<String>> {
    let mut processes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for channel in members.into_iter().filter(|channel| !is_ours(channel)) {
        let process = channel.split_once('!').map_or(channel.clone(), |(process, _)| format!("{process}!"));
        processes.entry(process).or_default().push(channel);
    }
    processes
}
