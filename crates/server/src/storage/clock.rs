//! The clock of the database, as this node knows it.

use std::sync::atomic::{AtomicI64, Ordering};

use holodrive_protocol::Timestamp;

use crate::clock::{Clock, SharedClock};

/// Whose clock counts where the database is a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeSource {
    /// The server's: nodes whose clocks differ agree on every moment.
    Database,
    /// The one that the storage is given, for tests that move it.
    Given,
}

/// This node's clock, put right by what the server's clock showed at the last transaction that wrote.
///
/// It is never ahead of the server's, as far as this node's clock runs evenly: what has run out here has run out there.
pub(super) struct DatabaseClock {
    node: SharedClock,
    source: TimeSource,
    /// Microseconds from this node's clock to the server's.
    offset: AtomicI64,
}

impl DatabaseClock {
    pub(super) fn new(node: SharedClock, source: TimeSource) -> Self {
        Self { node, source, offset: AtomicI64::new(0) }
    }

    /// The moment of a transaction that has just begun, in which a server has `told` the time. A database in this process has
    /// no other clock than this node's.
    pub(super) fn begin(&self, told: Option<Timestamp>) -> Timestamp {
        match told.filter(|_| self.source == TimeSource::Database) {
            Some(told) => {
                let offset = told.as_micros().saturating_sub(self.node.now().as_micros());
                self.offset.store(offset, Ordering::Relaxed);
                told
            }
            None => self.now(),
        }
    }
}

impl Clock for DatabaseClock {
    fn now(&self) -> Timestamp {
        let offset = self.offset.load(Ordering::Relaxed);
        Timestamp::from_micros(self.node.now().as_micros().saturating_add(offset))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
