use std::time::{Duration, Instant};

use super::moment::Moment;

/// How often something may happen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    /// A second, in the long run.
    pub(super) per_second: f64,
    /// At once.
    pub(super) burst: f64,
}

/// Moments are in whole nanoseconds; this part of a token makes up for it.
const ROUNDING: f64 = 1e-6;

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
        let missing = full_at.saturating_duration_since(now).as_secs_f64() * rate.per_second;
        let allowed = missing + 1.0 <= rate.burst + ROUNDING;
        if allowed {
            self.full_at = (full_at.max(now) + Duration::from_secs_f64(rate.per_second.recip())).into();
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_at_once_then_the_rate() {
        let (rate, began) = (Rate { per_second: 4.0, burst: 3.0 }, Instant::now());
        let mut bucket = TokenBucket::new(began);
        let mut takes = |millis| bucket.take(rate, began + Duration::from_millis(millis));
        assert_eq!([takes(0), takes(0), takes(0), takes(0)], [true, true, true, false]);
        assert_eq!([takes(249), takes(250), takes(251)], [false, true, false]);
        assert_eq!([takes(60_000), takes(60_000), takes(60_000), takes(60_000)], [true, true, true, false]);
    }
}
