//! When which connection is to be looked at: coarse ticks, each with those who are due.
//!
//! An entry is never moved or taken out. Hearing from a peer only changes a field of its connection; when the entry comes
//! up, the connection says when it really is due, and goes in again. So a busy connection costs no more than a quiet one.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// How finely time is told, in milliseconds.
const TICK: u64 = 10;

/// A moment, in ticks since the loop began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tick(u64);

impl Tick {
    /// A tick that never comes.
    pub(super) const NEVER: Self = Self(u64::MAX);

    fn since_first(self) -> Duration {
        Duration::from_millis(self.0.saturating_mul(TICK))
    }
}

pub(super) struct Timers {
    first: Instant,
    due: BTreeMap<Tick, Vec<usize>>,
}

impl Timers {
    pub(super) fn new(first: Instant) -> Self {
        Self { first, due: BTreeMap::new() }
    }

    /// The first tick that is not before `moment`.
    pub(super) fn tick(&self, moment: Instant) -> Tick {
        let micros = moment.saturating_duration_since(self.first).as_micros();
        Tick(u64::try_from(micros.div_ceil(u128::from(TICK) * 1_000)).unwrap_or(u64::MAX))
    }

    pub(super) fn insert(&mut self, tick: Tick, token: usize) {
        self.due.entry(tick).or_default().push(token);
    }

    /// How long nobody is due; `None` when nobody ever is.
    pub(super) fn left(&self, now: Instant) -> Option<Duration> {
        let (tick, _) = self.due.first_key_value()?;
        Some(tick.since_first().saturating_sub(now.saturating_duration_since(self.first)))
    }

    /// Takes out the first tick that is due, with those who were entered for it.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(Tick, Vec<usize>)> {
        let passed = now.saturating_duration_since(self.first);
        let first = self.due.first_entry().filter(|first| first.key().since_first() <= passed)?;
        Some(first.remove_entry())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn nobody_comes_up_too_early_and_those_of_a_tick_together() {
        let first = Instant::now();
        let mut timers = Timers::new(first);
        let at = |millis| first + Duration::from_millis(millis);
        for (token, millis) in [(1, 25), (2, 30), (3, 31)] {
            timers.insert(timers.tick(at(millis)), token);
        }
        assert_eq!(timers.left(at(5)), Some(Duration::from_millis(25)));
        assert_eq!(timers.pop(at(29)), None);
        assert_eq!(timers.pop(at(30)), Some((timers.tick(at(30)), vec![1, 2])));
        assert_eq!(timers.pop(at(39)), None);
        assert_eq!(timers.left(at(60)), Some(Duration::ZERO));
        assert_eq!(timers.pop(at(60)).unwrap().1, [3]);
        assert_eq!(timers.left(at(60)), None);
        assert!(timers.tick(at(1 << 40)) < Tick::NEVER);
    }
}
