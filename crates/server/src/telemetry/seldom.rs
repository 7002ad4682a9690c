use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How long nothing is said again.
const PAUSE: Duration = Duration::from_secs(10);

/// Keeps a line from flooding the log: it may be said every ten seconds.
#[derive(Debug, Default)]
pub(crate) struct Seldom(Mutex<Option<Instant>>);

impl Seldom {
    /// Whether to say it now.
    pub(crate) fn is_due(&self) -> bool {
        self.is_due_at(Instant::now())
    }

    fn is_due_at(&self, now: Instant) -> bool {
        let mut last = self.0.lock();
        let due = last.is_none_or(|last| now.saturating_duration_since(last) >= PAUSE);
        if due {
            *last = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_said_at_once_and_then_seldom() {
        let (seldom, first) = (Seldom::default(), Instant::now());
        assert!(seldom.is_due_at(first));
        assert!(!seldom.is_due_at(first + PAUSE / 2));
        assert!(seldom.is_due_at(first + PAUSE));
        assert!(!seldom.is_due_at(first + PAUSE + PAUSE / 2));
    }
}
