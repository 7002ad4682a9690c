//! Chance that depends on nothing but a seed and on what it is asked for.
//!
//! Every draw has a key of its own: what a driver answers to an order is drawn from the seed, the driver and the order, and
//! not from a stream that all share. So two rules that are compared meet the same riders and the same drivers in the same
//! mood, and what differs is owed to the rules.

use std::{f64::consts::TAU, time::Duration};

/// What is drawn, so that no two purposes share their numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Trips,
    Start,
    Patience,
    Answer,
    Outages,
    Shift,
}

/// A stream of numbers.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// The stream of one key.
    pub(crate) fn new(seed: u64, purpose: Purpose, key: &[u64]) -> Self {
        let words = [seed, purpose as u64].into_iter().chain(key.iter().copied());
        Self(words.fold(0, |state, word| mix(state ^ mix(word))))
    }

    /// The next number of the stream (`SplitMix64`: Steele, Lea, Flood, 2014).
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// From 0 to 1, and never 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// One of `0..count`, each as likely as the others.
    pub(crate) fn below(&mut self, count: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(count)) >> 64) as u64
    }

    /// A number of this range.
    pub(crate) fn between(&mut self, least: f64, most: f64) -> f64 {
        least + (most - least) * self.unit()
    }

    /// The standard normal distribution (Box and Muller).
    pub(crate) fn normal(&mut self) -> f64 {
        let (radius, angle) = ((-2.0 * (1.0 - self.unit()).ln()).sqrt(), TAU * self.unit());
        radius * angle.cos()
    }

    /// A time after which something happens that may happen at any moment.
    pub(crate) fn exponential(&mut self, mean: Duration) -> Duration {
        scaled(mean, -(1.0 - self.unit()).ln())
    }

    /// A time that half of all do not exceed, with a long tail.
    pub(crate) fn log_normal(&mut self, median: Duration, sigma: f64) -> Duration {
        scaled(median, (sigma * self.normal()).exp())
    }
}

/// Longer than any simulation.
const LONGEST: f64 = 1e9;

fn scaled(time: Duration, by: f64) -> Duration {
    Duration::from_secs_f64((time.as_secs_f64() * by).clamp(0.0, LONGEST))
}

/// The finalizer of `SplitMix64`.
const fn mix(mut word: u64) -> u64 {
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn many(seed: u64) -> impl Iterator<Item = Dice> {
        (0..20_000).map(move |n| Dice::new(seed, Purpose::Answer, &[n, 7]))
    }

    #[expect(clippy::cast_precision_loss, reason = "there are few")]
    fn mean(values: impl Iterator<Item = f64>) -> f64 {
        let values: Vec<f64> = values.collect();
        values.iter().sum::<f64>() / values.len() as f64
    }

    #[test]
    fn the_same_key_gives_the_same_numbers_and_another_key_others() {
        let first = |seed, purpose, key: &[u64]| Dice::new(seed, purpose, key).next();
        let number = first(1, Purpose::Start, &[2, 3]);
        assert_eq!(number, first(1, Purpose::Start, &[2, 3]));
        for other in [
            first(2, Purpose::Start, &[2, 3]),
            first(1, Purpose::Shift, &[2, 3]),
            first(1, Purpose::Start, &[3, 2]),
            first(1, Purpose::Start, &[2]),
        ] {
            assert_ne!(number, other);
        }
    }

    #[test]
    fn draws_of_neighbouring_keys_have_the_right_means() {
        assert!((mean(many(1).map(|mut dice| dice.unit())) - 0.5).abs() < 0.01);
        assert!(mean(many(2).map(|mut dice| dice.normal())).abs() < 0.03);
        let patience = mean(many(3).map(|mut dice| dice.exponential(Duration::from_secs(480)).as_secs_f64()));
        assert!((patience - 480.0).abs() < 12.0, "{patience}");
        let slow = mean(many(4).map(|mut dice| {
            let time = dice.log_normal(Duration::from_secs(6), 0.6);
            f64::from(u8::from(time > Duration::from_secs(6)))
        }));
        assert!((slow - 0.5).abs() < 0.02, "{slow}");
    }

    #[test]
    fn every_number_below_is_drawn() {
        let mut seen = [0_u32; 5];
        for mut dice in many(5) {
            seen[usize::try_from(dice.below(5)).unwrap_or(usize::MAX)] += 1;
        }
        assert!(seen.iter().all(|count| (3_700..4_300).contains(count)), "{seen:?}");
    }
}
