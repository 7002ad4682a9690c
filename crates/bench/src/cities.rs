//! Where the drivers are, and how they move.

use std::time::Duration;

use anyhow::Context;
use holodrive::dispatch::Point;
use holodrive_protocol::{Latitude, Longitude};

/// The side of a city in microdegrees of latitude: 30 km.
const SIDE: i64 = 270_000;
/// A car in a city comes so far in four seconds, in microdegrees of latitude: 33 m, at 30 km/h.
const STEP: i64 = 300;

/// Numbers that look random and are the same in every run: splitmix64 (Steele, Lea, Flood, 2014).
pub(crate) struct Numbers(u64);

impl Numbers {
    pub(crate) const fn new() -> Self {
        Self(0)
    }

    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// One of `0..end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap_or(1).max(1)).unwrap_or(0)
    }

    /// Evenly from half of that time to one and a half times as long.
    pub(crate) fn about(&mut self, time: Duration) -> Duration {
        let thousandths = u32::try_from(500 + self.below(1_001)).unwrap_or(1_000);
        time * thousandths / 1_000
    }

    /// One of `-limit..=limit`.
    fn around_zero(&mut self, limit: i64) -> i64 {
        i64::try_from(self.next() % (2 * limit.unsigned_abs() + 1)).unwrap_or(0) - limit
    }
}

/// Cities all over the inhabited globe, denser in the middle.
pub(crate) struct Cities {
    centres: Vec<(i64, i64)>,
}

impl Cities {
    pub(crate) fn new(count: u32) -> Self {
        let mut numbers = Numbers::new();
        let centre = || (numbers.around_zero(55_000_000), numbers.around_zero(180_000_000));
        Self { centres: std::iter::repeat_with(centre).take(count as usize).collect() }
    }

    /// A place in one of them.
    pub(crate) fn place(&self, numbers: &mut Numbers) -> anyhow::Result<Point> {
        let centre = self.centres[numbers.below(self.centres.len())];
        // The sum of two is more often near the middle than one.
        let mut offset = || numbers.around_zero(SIDE / 4) + numbers.around_zero(SIDE / 4);
        point(centre.0 + offset(), centre.1 + offset())
    }
}

/// Where a car is four seconds later.
pub(crate) fn step(from: Point, numbers: &mut Numbers) -> anyhow::Result<Point> {
    let (north, east) = (numbers.around_zero(STEP), numbers.around_zero(STEP));
    point(from.latitude.microdegrees() + north, from.longitude.microdegrees() + east)
}

fn point(latitude: i64, longitude: i64) -> anyhow::Result<Point> {
    let longitude = (longitude + 180_000_000).rem_euclid(360_000_000) - 180_000_000;
    let place = Latitude::from_microdegrees(latitude).zip(Longitude::from_microdegrees(longitude));
    place.map(|(latitude, longitude)| Point { latitude, longitude }).context("a place that is not on Earth")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn cars_stay_near_and_most_are_in_the_middle() {
        let (cities, mut numbers) = (Cities::new(1), Numbers::new());
        let middle = point(cities.centres[0].0, cities.centres[0].1).unwrap();
        let cars: Vec<_> = (0..2_000).map(|_| cities.place(&mut numbers).unwrap()).collect();
        assert!(cars.iter().all(|car| middle.distance_km(*car) < 22.0));
        let near = |km| cars.iter().filter(|car| middle.distance_km(**car) < km).count();
        // The ring is five times as large as the circle.
        assert!(5 * near(3.0) > 2 * (near(9.0) - near(6.0)), "as large an area farther out holds fewer");
        assert!(cars.iter().all(|car| car.distance_km(step(*car, &mut numbers).unwrap()) < 0.05));
    }
}
