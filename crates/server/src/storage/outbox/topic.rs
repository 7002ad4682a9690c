//! What events are about, and who on this node is told of them.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use parking_lot::Mutex;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

/// What is told to all nodes once it is on disk.
pub trait Event: Serialize + DeserializeOwned + Send + 'static {}

impl<T: Serialize + DeserializeOwned + Send + 'static> Event for T {}

/// One kind of event: its name in the outbox, and how this node hears of it.
pub struct Topic<E> {
    pub(super) name: &'static str,
    hear: Arc<dyn Fn(E) + Send + Sync>,
}

impl<E> Topic<E> {
    pub(in crate::storage) fn hear(&self) -> &Arc<dyn Fn(E) + Send + Sync> {
        &self.hear
    }
}

type Reader = Arc<dyn Fn(&RawValue) -> serde_json::Result<()> + Send + Sync>;

/// All topics of this node, by name.
#[derive(Default)]
pub(super) struct Topics(Mutex<HashMap<&'static str, Reader>>);

impl Topics {
    pub(super) fn add<E: Event>(&self, name: &'static str, hear: impl Fn(E) + Send + Sync + 'static) -> Topic<E> {
        let hear: Arc<dyn Fn(E) + Send + Sync> = Arc::new(hear);
        let heard = Arc::clone(&hear);
        let reader: Reader = Arc::new(move |event| serde_json::from_str(event.get()).map(|event| heard(event)));
        self.0.lock().insert(name, reader);
        Topic { name, hear }
    }

    /// Tells this node of an event that another one has written.
    ///
    /// A node of another version may know other events. What it means is in the database in any case.
    pub(super) fn hear(&self, name: &str, event: &RawValue) {
        let Some(reader) = self.0.lock().get(name).cloned() else {
            tracing::warn!(topic = name, "another node tells of something that this version does not know");
            return;
        };
        match catch_unwind(AssertUnwindSafe(|| reader(event))) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(topic = name, %error, "an event of another node cannot be read"),
            Err(_) => tracing::error!(topic = name, "an event of another node made the server panic"),
        }
    }
}
