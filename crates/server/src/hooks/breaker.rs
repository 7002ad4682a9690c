use std::time::Duration;

use holodrive_protocol::Timestamp;

/// So many failures in a row open it.
const FAILURES: u32 = 5;
/// How long it stays open; then one request tries.
const PAUSE: Duration = Duration::from_secs(5);

/// A circuit breaker: while the back end is known to be away, nobody waits for it, and it is left in peace to come back.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    state: State,
    failures: u32,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    /// It is sent.
    #[default]
    Closed,
    /// It fails at once, until `PAUSE` after this moment.
    Open(Timestamp),
    /// As [`State::Open`], with one request under way since this moment that tries.
    HalfOpen(Timestamp),
}

impl Breaker {
    /// Whether a request may be sent. Should the one that tries be lost, another may try after the same pause.
    pub(super) fn admits(&mut self, now: Timestamp) -> bool {
        match self.state {
            State::Closed => true,
            State::Open(since) | State::HalfOpen(since) if is_within_pause(since, now) => false,
            State::Open(_) | State::HalfOpen(_) => {
                self.state = State::HalfOpen(now);
                true
            }
        }
    }

    /// A request was answered, be it by a refusal.
    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// A request failed. What was sent before it opened prolongs nothing.
    pub(super) fn failed(&mut self, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        let opens = match self.state {
            State::Closed => self.failures >= FAILURES,
            State::Open(_) => false,
            State::HalfOpen(_) => true,
        };
        if opens {
            self.state = State::Open(now);
        }
    }

    pub(super) fn state(&self) -> State {
        self.state
    }
}

/// A clock that was set back ends the pause.
fn is_within_pause(since: Timestamp, now: Timestamp) -> bool {
    let elapsed = u64::try_from(now.as_micros().saturating_sub(since.as_micros()));
    elapsed.is_ok_and(|micros| Duration::from_micros(micros) < PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn open_at(seconds: i64) -> Breaker {
        let mut breaker = Breaker::default();
        for _ in 0..FAILURES {
            assert!(breaker.admits(at(seconds)));
            breaker.failed(at(seconds));
        }
        breaker
    }

    #[test]
    fn five_failures_in_a_row_open_it() {
        let mut breaker = open_at(100);
        assert_eq!(breaker.state(), State::Open(at(100)));
        assert!(!breaker.admits(at(104)));
    }

    #[test]
    fn a_success_in_between_counts() {
        let mut breaker = Breaker::default();
        for _ in 0..3 {
            for _ in 1..FAILURES {
                breaker.failed(at(0));
            }
            breaker.succeeded();
        }
        assert_eq!(breaker.state(), State::Closed);
    }

    #[test]
    fn one_tries_after_the_pause_and_closes_it() {
        let mut breaker = open_at(100);
        assert!(breaker.admits(at(105)));
        assert_eq!(breaker.state(), State::HalfOpen(at(105)));
        assert!(!breaker.admits(at(106)));
        breaker.succeeded();
        assert_eq!(breaker.state(), State::Closed);
        assert!(breaker.admits(at(106)));
    }

    #[test]
    fn one_that_fails_opens_it_again_and_latecomers_do_not() {
        let mut breaker = open_at(100);
        breaker.failed(at(104));
        assert!(breaker.admits(at(105)));
        breaker.failed(at(107));
        assert_eq!(breaker.state(), State::Open(at(107)));
        assert!(!breaker.admits(at(111)));
        assert!(breaker.admits(at(112)));
    }

    #[test]
    fn neither_a_lost_request_nor_a_clock_set_back_keeps_it_open() {
        let mut breaker = open_at(100);
        assert!(breaker.admits(at(105)));
        assert!(breaker.admits(at(110)));
        assert!(breaker.admits(at(50)));
    }
}
