//! The clock of the database, as this node knows it.

use std::sync::atomic::{AtomicI64, Ordering};

use holodrive_protocol::Timestamp;

use crate::clock::{Clock, Present, SharedClock};

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
    /// Microseconds from this node's clock to the server's: at least, and at most.
    least: AtomicI64,
    most: AtomicI64,
    /// When that was found out, by this node's clock.
    found_at: AtomicI64,
}

/// In how many microseconds two clocks may drift apart by one: more than NTP slews.
const DRIFT: i64 = 1_000;

impl DatabaseClock {
    pub(super) fn new(node: SharedClock, source: TimeSource) -> Self {
        Self { node, source, least: AtomicI64::new(0), most: AtomicI64::new(0), found_at: AtomicI64::new(i64::MIN) }
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

    /// The server looked at its clock between the question and now. An answer that was long on its way is no reason to forget what
    /// quicker ones have shown, as long as that is possible still. Called by one thread at a time: there is one writer.
    fn set(&self, asked_at: Timestamp, told: Timestamp) {
        let now = self.node.now().as_micros();
        let [least, most] = [now, asked_at.as_micros()].map(|here| told.as_micros().saturating_sub(here));
        let age = now.saturating_sub(self.found_at.swap(now, Ordering::Relaxed));
        let drift = age / DRIFT + 1;
        let kept = (
            least.max(self.least.load(Ordering::Relaxed).saturating_sub(drift)),
            most.min(self.most.load(Ordering::Relaxed).saturating_add(drift)),
        );
        let (least, most) = if age >= 0 && kept.0 <= kept.1 { kept } else { (least, most.max(least)) };
        self.least.store(least, Ordering::Relaxed);
        self.most.store(most, Ordering::Relaxed);
    }

    fn at(&self, offset: &AtomicI64) -> Timestamp {
        Timestamp::from_micros(self.node.now().as_micros().saturating_add(offset.load(Ordering::Relaxed)))
    }
}

impl Clock for DatabaseClock {
    fn now(&self) -> Timestamp {
        self.at(&self.least)
    }

    fn present(&self) -> Present {
        Present { earliest: self.now(), latest: self.at(&self.most) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
