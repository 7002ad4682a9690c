//! The clock of the database, as this node knows it.

use std::sync::atomic::{AtomicI64, Ordering};

use holodrive_protocol::Timestamp;
use parking_lot::Mutex;

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
/// It is never ahead of the server's, as far as this node's clock runs evenly: what has run out here has run out there. It
/// lags by the time that the quickest of the latest answers took.
pub(super) struct DatabaseClock {
    node: SharedClock,
    source: TimeSource,
    /// Microseconds from this node's clock to the server's.
    offset: AtomicI64,
    /// The best that was found, and when, by this node's clock.
    found: Mutex<(i64, i64)>,
}

/// In how many microseconds two clocks may drift apart by one: more than NTP slews.
const DRIFT: i64 = 1_000;

impl DatabaseClock {
    pub(super) fn new(node: SharedClock, source: TimeSource) -> Self {
        Self { node, source, offset: AtomicI64::new(0), found: Mutex::new((0, i64::MIN)) }
    }

    /// This node's time before a transaction begins, where a server may tell its own.
    pub(super) fn ask(&self) -> Option<Timestamp> {
        (self.source == TimeSource::Database).then(|| self.node.now())
    }

    /// The moment of a transaction that has just begun, in which a server that was asked at that time has `told` its own. A database in
    /// this process has no other clock than this node's.
    pub(super) fn begin(&self, asked_at: Option<Timestamp>, told: Option<Timestamp>) -> Timestamp {
        match asked_at.zip(told) {
            Some((asked_at, told)) => {
                self.set(asked_at, told);
                told
            }
            None => self.now(),
        }
    }

    /// The server looked at its clock between the question and now. An answer that was long on its way is no reason to forget what a
    /// quicker one has shown, as long as that is possible still.
    fn set(&self, asked_at: Timestamp, told: Timestamp) {
        let now = self.node.now().as_micros();
        let [least, most] = [now, asked_at.as_micros()].map(|here| told.as_micros().saturating_sub(here));
        let mut found = self.found.lock();
        let age = now.saturating_sub(found.1);
        let kept = found.0.saturating_sub(age / DRIFT);
        let is_possible = age >= 0 && (least..=most).contains(&kept);
        if !is_possible {
            *found = (least, now);
        }
        self.offset.store(if is_possible { kept } else { least }, Ordering::Relaxed);
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
