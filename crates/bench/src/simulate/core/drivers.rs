//! The drivers of the simulated city.

use holodrive::dispatch::Point;
use holodrive_protocol::Timestamp;

use crate::simulate::{people::People, scenario::Scenario};

/// A driver.
#[derive(Clone, Copy, Debug)]
pub(super) struct Driver {
    /// Where he was when he last told.
    pub(super) at: Point,
    /// Until when his phone is not reached. His socket may be open all the same.
    pub(super) dark_until: Timestamp,
    pub(super) is_connected: bool,
    /// When he told where he was, or lost his socket, for the last time.
    pub(super) heard_at: Timestamp,
    /// Whether he goes home as soon as nobody is in the car.
    pub(super) is_leaving: bool,
}

impl Driver {
    pub(super) const fn new(at: Point, now: Timestamp) -> Self {
        Self { at, dark_until: now, is_connected: false, heard_at: now, is_leaving: false }
    }

    pub(super) fn is_dark(&self, now: Timestamp) -> bool {
        self.dark_until > now
    }
}

/// When somebody comes to work, and when he has to go.
pub(super) struct Shift {
    pub(super) driver: u64,
    pub(super) begins: Timestamp,
    pub(super) ends: Option<Timestamp>,
}

/// All shifts of a scenario: as soon as one ends, somebody else begins elsewhere.
pub(super) fn shifts(scenario: &Scenario, people: &People) -> Vec<Shift> {
    let (mut shifts, mut last) = (Vec::new(), scenario.drivers);
    for first in 1..=scenario.drivers {
        let (mut driver, mut begins) = (first, scenario.begins);
        loop {
            let ends = people.shift(scenario.seed, driver).map(|time| begins.after(time));
            let ends = ends.filter(|ends| *ends < scenario.ends);
            shifts.push(Shift { driver, begins, ends });
            let Some(relief) = ends else { break };
            (last, begins) = (last + 1, relief);
            driver = last;
        }
    }
    shifts
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::{collections::BTreeSet, time::Duration};

    use super::*;
    use crate::simulate::{
        demand::{Trip, point},
        moment::{HOUR, at},
        people::tests::people,
    };

    #[test]
    fn as_many_drivers_are_at_work_at_any_time() {
        let here = point(0.0, 0.0).unwrap();
        let trip = |hour: i64| Trip { requested_at: at(hour * HOUR), from: here, to: here };
        let scenario = Scenario::new(1, vec![trip(0), trip(10)], 20, Duration::ZERO).unwrap();
        let shifts = shifts(&scenario, &people(&["--shift-hours", "2"]));
        assert!(shifts.len() > 60);
        let names: BTreeSet<_> = shifts.iter().map(|shift| shift.driver).collect();
        assert_eq!(names.len(), shifts.len());
        for hour in 0..10 {
            let now = at(hour * HOUR);
            let works = |shift: &&Shift| shift.begins <= now && shift.ends.is_none_or(|ends| ends > now);
            assert_eq!(shifts.iter().filter(works).count(), 20);
        }
    }
}
