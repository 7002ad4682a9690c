use std::time::Instant;

/// How often something may happen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    /// A second, in the long run.
    pub(super) per_second: f64,
    /// At once.
    pub(super) burst: f64,
}

/// Holds somebody to a [`Rate`].
#[derive(Debug)]
pub(super) struct TokenBucket {
    tokens: f64,
    refilled_at: Instant,
}

impl TokenBucket {
    /// A full bucket.
    pub(super) fn new(rate: Rate, now: Instant) -> Self {
        Self { tokens: rate.burst, refilled_at: now }
    }

    /// Takes a token, where there is one.
    pub(super) fn take(&mut self, rate: Rate, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.refilled_at).as_secs_f64();
        self.refilled_at = now;
        self.tokens = elapsed.mul_add(rate.per_second, self.tokens).min(rate.burst);
        let allowed = self.tokens >= 1.0;
        if allowed {
            self.tokens -= 1.0;
        }
        allowed
    }
}
