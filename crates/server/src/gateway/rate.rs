use std::time::{Duration, Instant};

use super::moment::Moment;

/// How often something may happen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    /// The time that a token takes to come.
    interval: Duration,
    /// How long before its bucket is full somebody may take one.
    ahead: Duration,
}

impl Rate {
    /// So often a second in the long run, and at once.
    pub(super) fn new(per_second: u32, burst: u32) -> Self {
        let interval = Duration::from_secs(1) / per_second.max(1);
        Self { interval, ahead: interval.saturating_mul(burst.saturating_sub(1)) }
    }
}

/// Holds somebody to a [`Rate`]: a bucket of tokens that fills at that rate, told by the moment at which it is full.
#[derive(Debug)]
pub(super) struct TokenBucket {
    full_at: Moment,
}

impl TokenBucket {
    /// A full bucket.
    pub(super) fn new(now: Instant) -> Self {
        Self { full_at: now.into() }
    }

    /// Takes a token, where there is one.
    pub(super) fn take(&mut self, rate: Rate, now: Instant) -> bool {
        let full_at = Instant::from(self.full_at);
        let allowed = full_at.saturating_duration_since(now) <= rate.ahead;
        if allowed {
            self.full_at = (full_at.max(now) + rate.interval).into();
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_at_once_then_the_rate() {
        let (rate, began) = (Rate::new(4, 3), Instant::now());
        let mut bucket = TokenBucket::new(began);
        let mut takes = |millis| bucket.take(rate, began + Duration::from_millis(millis));
        assert_eq!([takes(0), takes(0), takes(0), takes(0)], [true, true, true, false]);
        assert_eq!([takes(249), takes(250), takes(251)], [false, true, false]);
        assert_eq!([takes(60_000), takes(60_000), takes(60_000), takes(60_000)], [true, true, true, false]);
    }
}
