//! Who wants to go from where to where, and when.

mod download;
mod extract;
mod operator;
mod outline;
mod source;
mod zone;

use std::{ops::Range, path::Path};

use anyhow::Context;
use holodrive::dispatch::Point;
use holodrive_protocol::Timestamp;

pub(crate) use download::download;
pub(crate) use operator::{read as read_operators_trips, write as write_trips};
pub(crate) use zone::{Zone, point};

use super::{
    dice::{Dice, Purpose},
    moment::{MINUTE, at},
};

/// Microseconds of the quarters of an hour by which trips are counted.
const QUARTER: i64 = 15 * MINUTE;
/// Quarters of a day.
const QUARTERS: u8 = 96;

/// A ride that somebody wants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Trip {
    pub(crate) requested_at: Timestamp,
    pub(crate) from: Point,
    pub(crate) to: Point,
}

/// How many trips there were from one zone to another in a quarter of an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Flow {
    /// Counted from midnight.
    quarter: u8,
    /// Places in the list of zones.
    from: usize,
    to: usize,
    trips: u64,
}

/// The demand of a city: zones, and trips between them over the day.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Demand {
    zones: Vec<Zone>,
    /// In ascending order.
    flows: Vec<Flow>,
}

impl Demand {
    /// Demand for these hours of the day: of the extract that comes with this program if it has them, or else of what was
    /// downloaded to the folder.
    pub(crate) fn load(folder: &Path, hours: &Range<u8>) -> anyhow::Result<Self> {
        let extract = extract::built_in()?;
        if extract.covers(hours) {
            return Ok(extract.within(hours));
        }
        let all = source::read(folder).with_context(|| {
            let Range { start, end } = hours;
            format!("for {start} to {end} o'clock the whole data set is needed: get it with `simulate --download`")
        })?;
        Ok(all.within(hours))
    }

    /// Writes what [`Demand::load`] finds within this program, from the downloaded data.
    pub(crate) fn write_extract(folder: &Path, to: &Path, hours: &Range<u8>) -> anyhow::Result<()> {
        extract::write(&source::read(folder)?.within(hours), to)
    }

    /// The trips of one seed: as many as there are requests an hour, give or take what chance does, over the hours as the
    /// counts are. In the order of time.
    pub(crate) fn trips(&self, hours: &Range<u8>, requests_per_hour: f64, seed: u64) -> Vec<Trip> {
        let mut dice = Dice::new(seed, Purpose::Trips, &[]);
        let mean = requests_per_hour * f64::from(hours.end - hours.start);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative, and not that many")]
        let count = (mean + mean.sqrt() * dice.normal()).max(0.0).round() as usize;
        let upto: Vec<u64> = self
            .flows
            .iter()
            .scan(0, |sum, flow| {
                *sum += flow.trips;
                Some(*sum)
            })
            .collect();
        let mut trips: Vec<Trip> = (0..count).filter_map(|_| self.trip(&upto, &mut dice)).collect();
        trips.sort_by_key(|trip| trip.requested_at);
        trips
    }

    fn trip(&self, upto: &[u64], dice: &mut Dice) -> Option<Trip> {
        let number = dice.below(*upto.last()?);
        let flow = self.flows.get(upto.partition_point(|sum| *sum <= number))?;
        let (from, to) = (self.zones.get(flow.from)?, self.zones.get(flow.to)?);
        let within = i64::try_from(dice.below(QUARTER.unsigned_abs())).ok()?;
        let requested_at = at(i64::from(flow.quarter) * QUARTER + within);
        Some(Trip { requested_at, from: from.random_point(dice), to: to.random_point(dice) })
    }

    fn within(mut self, hours: &Range<u8>) -> Self {
        self.flows.retain(|flow| hours.contains(&(flow.quarter / 4)));
        self
    }

    fn covers(&self, hours: &Range<u8>) -> bool {
        (hours.start * 4..hours.end * 4).all(|quarter| self.flows.iter().any(|flow| flow.quarter == quarter))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn demand() -> Demand {
        let square = |id, north: f64| {
            let outline = vec![(north, 0.0), (north, 0.1), (north + 0.1, 0.1), (north + 0.1, 0.0)];
            Zone::new(id, String::new(), outline).unwrap()
        };
        let flow = |quarter, from, to, trips| Flow { quarter, from, to, trips };
        Demand { zones: vec![square(1, 0.0), square(2, 1.0)], flows: vec![flow(4, 0, 1, 300), flow(7, 1, 1, 100)] }
    }

    #[test]
    fn trips_are_those_of_the_counts_in_the_order_of_time() {
        let trips = demand().trips(&(1..2), 4_000.0, 1);
        assert!((3_700..4_300).contains(&trips.len()), "{}", trips.len());
        assert!(trips.is_sorted_by_key(|trip| trip.requested_at));
        let (early, late): (Vec<&Trip>, Vec<&Trip>) =
            trips.iter().partition(|trip| trip.requested_at < at(5 * QUARTER));
        assert!(early.iter().all(|trip| trip.requested_at >= at(4 * QUARTER) && trip.from.latitude.degrees() < 0.2));
        assert!(late.iter().all(|trip| trip.requested_at >= at(7 * QUARTER) && trip.from.latitude.degrees() > 0.9));
        assert!((early.len().abs_diff(late.len() * 3)) < 400, "three of four");
    }

    #[test]
    fn a_seed_gives_the_same_trips_again_and_another_seed_others() {
        let trips = |seed| demand().trips(&(1..2), 100.0, seed);
        assert_eq!(trips(1), trips(1));
        assert_ne!(trips(1), trips(2));
    }

    #[test]
    fn hours_without_any_trip_are_not_there() {
        assert!(!demand().covers(&(1..2)));
        assert_eq!(demand().within(&(2..3)).trips(&(2..3), 100.0, 1), []);
    }
}
