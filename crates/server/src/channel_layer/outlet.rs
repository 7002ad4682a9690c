//! Our own events, on their way to Django's consumers.

use std::sync::{Arc, OnceLock};

use serde::Serialize;
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use super::settings::GroupPattern;
use crate::{
    storage::Tx,
    telemetry::{Metrics, Seldom},
};

/// Where a feature tells its events to Django's consumers, which are in the same groups as our connections. It leads nowhere
/// unless `CHANNEL_LAYER_OUT` opens it.
#[derive(Default)]
pub struct Outlet(OnceLock<Arc<Outgoing>>);

/// The queue of what is to be sent.
pub(super) struct Outgoing {
    pub(super) patterns: Vec<GroupPattern>,
    pub(super) queue: mpsc::Sender<Sending>,
    pub(super) metrics: Arc<Metrics>,
    /// Says that the queue is full.
    pub(super) full: Seldom,
}

/// An event for a group.
pub(super) struct Sending {
    pub(super) group: String,
    pub(super) event: Map<String, Value>,
}

impl Outlet {
    /// From now on it leads somewhere.
    pub(super) fn open(&self, outgoing: Arc<Outgoing>) {
        self.0.get_or_init(|| outgoing);
    }

    /// Whether anybody there is told.
    pub fn is_open(&self) -> bool {
        self.0.get().is_some()
    }

    /// Tells an event once the transaction is on disk: so the node that commits tells it, and no other. `id` is what the
    /// endpoint's groups are named after. The event is made only where the outlet leads somewhere.
    pub fn tell<E: Serialize>(
        &self,
        tx: &mut Tx<'_>,
        endpoint: &'static str,
        id: &impl ToString,
        event: impl FnOnce() -> E,
    ) {
        if let Some(outgoing) = self.0.get() {
            let (outgoing, sendings) = (Arc::clone(outgoing), outgoing.sendings(endpoint, id, &event()));
            tx.after_commit(move || outgoing.send(sendings));
        }
    }

    /// Tells an event that is not stored.
    pub fn tell_now<E: Serialize>(&self, endpoint: &'static str, id: &impl ToString, event: impl FnOnce() -> E) {
        if let Some(outgoing) = self.0.get() {
            outgoing.send(outgoing.sendings(endpoint, id, &event()));
        }
    }
}

impl Outgoing {
    fn sendings(&self, endpoint: &'static str, id: &impl ToString, event: &impl Serialize) -> Vec<Sending> {
        let Ok(Value::Object(event)) = serde_json::to_value(event) else { return Vec::new() };
        let patterns = self.patterns.iter().filter(|pattern| pattern.endpoint() == endpoint);
        patterns.map(|pattern| Sending { group: pattern.name(&id.to_string()), event: event.clone() }).collect()
    }

    /// Never waits: what finds no room is dropped.
    fn send(&self, sendings: Vec<Sending>) {
        for sending in sendings {
            if self.queue.try_send(sending).is_err() {
                self.metrics.channel_layer_dropped(1);
                if self.full.is_due() {
                    tracing::warn!("too much waits for the channel layer: events for Django's consumers are dropped");
                }
            }
        }
    }
}
