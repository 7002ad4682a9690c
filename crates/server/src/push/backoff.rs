use std::time::Duration;

/// The longest pause before the first further attempt; each later one is twice as long.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(16);

/// How long to wait after so many attempts in vain: at random from half of the pause to all of it, so that many who failed
/// together do not come together, and never less than the service asks for.
pub(super) fn pause(attempts: u32, asked_for: Option<Duration>) -> Duration {
    let longest = FIRST.saturating_mul(1 << attempts.saturating_sub(1).min(10)).min(LONGEST);
    rand::random_range(longest / 2..=longest).max(asked_for.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_at_random_up_to_a_limit() {
        for (attempts, longest) in [(1, 1), (2, 2), (3, 4), (5, 16), (6, 16), (u32::MAX, 16)] {
            let longest = Duration::from_secs(longest);
            let pause = pause(attempts, None);
            assert!((longest / 2..=longest).contains(&pause), "{pause:?} after {attempts}");
        }
    }

    #[test]
    fn a_service_may_ask_for_more() {
        assert_eq!(pause(1, Some(Duration::from_secs(30))), Duration::from_secs(30));
        assert!(pause(3, Some(Duration::from_millis(1))) >= Duration::from_secs(2));
    }
}
