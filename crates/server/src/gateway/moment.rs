use std::{
    num::NonZeroU64,
    sync::LazyLock,
    time::{Duration, Instant},
};

/// Somewhat before the first moment that anybody remembers.
static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);

/// An [`Instant`] of this process to remember for long: nanoseconds, in half the bytes, and none for its absence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(NonZeroU64);

impl From<Instant> for Moment {
    fn from(instant: Instant) -> Self {
        let nanos = u64::try_from(instant.saturating_duration_since(*BEGINNING).as_nanos());
        Self(NonZeroU64::MIN.saturating_add(nanos.unwrap_or(u64::MAX)))
    }
}

impl From<Moment> for Instant {
    fn from(moment: Moment) -> Self {
        *BEGINNING + Duration::from_nanos(moment.0.get() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remembered_moment_is_the_same() {
        let early = Moment::from(Instant::now());
        let now = Instant::now();
        assert_eq!(Instant::from(Moment::from(now)), now);
        assert!(early <= Moment::from(now));
        assert_eq!(size_of::<Option<Moment>>(), 8);
    }
}
