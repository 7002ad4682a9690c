//! Chance, the same one every time.

use std::{ops::Range, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};

/// What an actor leaves to chance.
pub(super) struct Dice(StdRng);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// Dice of their own for a companion.
    pub(super) fn split(&mut self) -> Self {
        Self::new(self.0.random())
    }

    /// Whether something of this probability happens.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.0.random_bool(probability)
    }

    pub(super) fn number(&mut self, range: Range<f64>) -> f64 {
        self.0.random_range(range)
    }

    pub(super) fn seconds(&mut self, range: Range<f64>) -> Duration {
        Duration::from_secs_f64(self.number(range))
    }

    /// One of the choices; `None` when there is none.
    pub(super) fn pick<T: Copy>(&mut self, choices: &[T]) -> Option<T> {
        (!choices.is_empty()).then(|| choices[self.0.random_range(0..choices.len())])
    }
}
