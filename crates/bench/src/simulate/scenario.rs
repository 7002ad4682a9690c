//! What happens to a city whatever rule dispatches: trips, and where drivers begin.

use std::time::Duration;

use holodrive::dispatch::Point;
use holodrive_protocol::{OrderId, Timestamp};

use super::{
    demand::Trip,
    dice::{Dice, Purpose},
};

/// One seed's course of events.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) seed: u64,
    /// In the order of time; there is at least one.
    pub(crate) trips: Vec<Trip>,
    /// Drivers at work at the same time.
    pub(crate) drivers: u64,
    /// When the first order may come.
    pub(crate) begins: Timestamp,
    /// Orders before this moment are not counted: the city has yet to fill.
    pub(crate) measured_from: Timestamp,
    /// When no order comes any more.
    pub(crate) ends: Timestamp,
}

impl Scenario {
    /// `None` without trips.
    pub(crate) fn new(seed: u64, trips: Vec<Trip>, drivers: u64, warm_up: Duration) -> Option<Self> {
        let (begins, ends) = (trips.first()?.requested_at, trips.last()?.requested_at);
        Some(Self { seed, trips, drivers, begins, measured_from: begins.after(warm_up).min(ends), ends })
    }

    /// Where a driver begins: where some trip ends.
    pub(crate) fn start(&self, driver: u64) -> Point {
        let trip = Dice::new(self.seed, Purpose::Start, &[driver]).below(self.trips.len() as u64);
        self.trips[usize::try_from(trip).unwrap_or(0)].to
    }

    /// The trip of an order; orders are numbered from 1.
    pub(crate) fn trip(&self, order_id: OrderId) -> Option<Trip> {
        self.trips.get(usize::try_from(order_id).ok()?.checked_sub(1)?).copied()
    }

    /// Which of the trips count.
    pub(crate) fn is_measured(&self, trip: &Trip) -> bool {
        trip.requested_at >= self.measured_from
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::simulate::{
        demand::point,
        moment::{SECOND, at},
    };

    #[test]
    fn drivers_begin_where_trips_end_and_spread_over_them() {
        let trip = |n: i32| Trip {
            requested_at: at(i64::from(n) * SECOND),
            from: point(0.0, 0.0).unwrap(),
            to: point(1.0, f64::from(n)).unwrap(),
        };
        let scenario = Scenario::new(1, (0..50).map(trip).collect(), 200, Duration::from_secs(10)).unwrap();
        let mut starts: Vec<_> = (1..=200).map(|driver| scenario.start(driver).longitude).collect();
        starts.sort_unstable();
        starts.dedup();
        assert!(starts.len() > 40, "{}", starts.len());
        assert_eq!(scenario.trips.iter().filter(|trip| scenario.is_measured(trip)).count(), 40);
        assert!(Scenario::new(1, Vec::new(), 1, Duration::ZERO).is_none());
    }
}
