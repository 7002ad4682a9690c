use std::time::{Duration, Instant};

/// The pause before the first further attempt; each later one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The further attempts of one request, within the time that all of them may take together.
pub(super) struct Retries {
    left: u32,
    pause: Duration,
    until: Instant,
}

/// What all attempts may take together, with the pauses between them.
pub(super) fn total(retries: u32, timeout: Duration) -> Duration {
    timeout.saturating_mul(retries + 1)
}

impl Retries {
    /// So many attempts after the first, which begins now; each may take `timeout`.
    pub(super) fn new(retries: u32, timeout: Duration, now: Instant) -> Self {
        Self { left: retries, pause: FIRST_PAUSE, until: now + total(retries, timeout) }
    }

    /// How much time there is altogether.
    pub(super) fn time_left(&self, now: Instant) -> Duration {
        self.until.saturating_duration_since(now)
    }

    /// How long to wait before the next attempt: at random from half of the pause to all of it, so that many who failed
    /// together do not come together. `None` when there is to be none.
    pub(super) fn next_pause(&mut self, now: Instant) -> Option<Duration> {
        self.left = self.left.checked_sub(1)?;
        let pause = rand::random_range(self.pause / 2..=self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        (now + pause < self.until).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_at_random_up_to_a_limit() {
        let start = Instant::now();
        let mut retries = Retries::new(8, Duration::from_secs(5), start);
        for longest in [100, 200, 400, 800, 1_600, 2_000, 2_000, 2_000].map(Duration::from_millis) {
            let pause = retries.next_pause(start);
            assert!(pause.is_some_and(|pause| (longest / 2..=longest).contains(&pause)), "{pause:?}, {longest:?}");
        }
        assert_eq!(retries.next_pause(start), None);
    }

    #[test]
    fn nothing_begins_when_the_time_is_over() {
        let start = Instant::now();
        let mut retries = Retries::new(2, Duration::from_secs(5), start);
        assert_eq!(retries.time_left(start), Duration::from_secs(15));
        assert!(retries.next_pause(start + Duration::from_secs(5)).is_some());
        assert_eq!(retries.next_pause(start + Duration::from_millis(14_999)), None);
        assert_eq!(retries.time_left(start + Duration::from_secs(16)), Duration::ZERO);
        assert_eq!(Retries::new(0, Duration::from_secs(5), start).next_pause(start), None);
    }
}
