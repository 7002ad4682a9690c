//! How long to wait before the next try.

use std::time::Duration;

use rand::{RngExt, SeedableRng, rngs::StdRng};

/// Exponential backoff with full jitter: each wait is anything from nothing to a bound, and the bound doubles up to a
/// cap. The first wait is spread as well, so that clients which lost the same server do not come back together.
#[derive(Debug)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    tries: u32,
    random: StdRng,
}

impl Backoff {
    /// The first wait is shorter than `base`, no wait is longer than `cap`. The same `seed` gives the same waits;
    /// `None` takes one from the operating system.
    pub fn new(base: Duration, cap: Duration, seed: Option<u64>) -> Self {
        let random = seed.map_or_else(rand::make_rng, StdRng::seed_from_u64);
        Self { base, cap, tries: 0, random }
    }

    /// The wait before the next try.
    pub fn next_wait(&mut self) -> Duration {
        let bound = self.base.saturating_mul(2_u32.saturating_pow(self.tries)).min(self.cap);
        self.tries = self.tries.saturating_add(1);
        bound.mul_f64(self.random.random_range(0.0..=1.0))
    }

    /// Starts again from the shortest bound.
    pub const fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: Duration = Duration::from_millis(500);
    const CAP: Duration = Duration::from_secs(20);

    #[test]
    fn waits_stay_below_a_bound_that_doubles_up_to_the_cap() {
        let mut longest = [Duration::ZERO; 9];
        for seed in 0..400 {
            let mut backoff = Backoff::new(BASE, CAP, Some(seed));
            for longest in &mut longest {
                *longest = backoff.next_wait().max(*longest);
            }
        }
        for (tries, longest) in (0_u32..).zip(longest) {
            let bound = CAP.min(BASE * 2_u32.pow(tries));
            assert!(longest <= bound, "{longest:?} after {tries} tries");
            assert!(longest > bound.mul_f64(0.9), "{longest:?} of {bound:?} after {tries} tries: not the whole range");
        }
    }

    #[test]
    fn a_seed_repeats_and_a_reset_starts_over() {
        let waits = |mut backoff: Backoff| std::array::from_fn::<_, 20, _>(|_| backoff.next_wait());
        let seeded = |seed| Backoff::new(BASE, CAP, Some(seed));
        assert_eq!(waits(seeded(7)), waits(seeded(7)));
        assert_ne!(waits(seeded(7)), waits(seeded(8)));

        let mut backoff = seeded(7);
        for _ in 0..40 {
            backoff.next_wait();
        }
        backoff.reset();
        assert!(backoff.next_wait() <= BASE);
    }

    #[test]
    fn a_thousand_tries_do_not_overflow() {
        let mut backoff = Backoff::new(BASE, CAP, Some(1));
        assert!((0..1_000).all(|_| backoff.next_wait() <= CAP));
    }
}
