//! A part of the city that trips begin and end in.

use holodrive::dispatch::Point;
use holodrive_protocol::{Latitude, Longitude};

use crate::simulate::dice::Dice;

/// A zone with its outline.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Zone {
    /// Its number in the data.
    pub(crate) id: u32,
    pub(crate) name: String,
    /// Degrees north and east of the corners, one after the other around the zone.
    outline: Vec<(f64, f64)>,
    south_west: (f64, f64),
    north_east: (f64, f64),
}

impl Zone {
    /// `None` where the outline has no area that a point could be in.
    pub(crate) fn new(id: u32, name: String, outline: Vec<(f64, f64)>) -> Option<Self> {
        let bound = |pick: fn(&(f64, f64)) -> f64, choose: fn(f64, f64) -> f64| outline.iter().map(pick).reduce(choose);
        let south_west = (bound(|corner| corner.0, f64::min)?, bound(|corner| corner.1, f64::min)?);
        let north_east = (bound(|corner| corner.0, f64::max)?, bound(|corner| corner.1, f64::max)?);
        let zone = Self { id, name, outline, south_west, north_east };
        (zone.area() > f64::EPSILON).then_some(zone)
    }

    /// The corners.
    pub(crate) fn outline(&self) -> &[(f64, f64)] {
        &self.outline
    }

    /// A point in the zone; every one is as likely as the others.
    pub(crate) fn random_point(&self, dice: &mut Dice) -> Point {
        loop {
            let north = dice.between(self.south_west.0, self.north_east.0);
            let east = dice.between(self.south_west.1, self.north_east.1);
            if self.contains(north, east)
                && let Some(point) = point(north, east)
            {
                return point;
            }
        }
    }

    /// Whether a line from the point to the east crosses the outline an odd number of times.
    fn contains(&self, north: f64, east: f64) -> bool {
        let crosses = |((a_north, a_east), (b_north, b_east)): ((f64, f64), (f64, f64))| {
            (a_north > north) != (b_north > north)
                && east < a_east + (b_east - a_east) * (north - a_north) / (b_north - a_north)
        };
        self.edges().filter(|edge| crosses(*edge)).count() % 2 == 1
    }

    fn edges(&self) -> impl Iterator<Item = ((f64, f64), (f64, f64))> {
        let next = self.outline.iter().cycle().skip(1);
        self.outline.iter().copied().zip(next.copied())
    }

    /// In square degrees.
    fn area(&self) -> f64 {
        (self.edges().map(|(a, b)| a.1 * b.0 - b.1 * a.0).sum::<f64>() / 2.0).abs()
    }
}

/// A place on the globe; `None` for what is not one.
pub(crate) fn point(latitude: f64, longitude: f64) -> Option<Point> {
    Some(Point { latitude: Latitude::from_degrees(latitude)?, longitude: Longitude::from_degrees(longitude)? })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::simulate::dice::Purpose;

    #[test]
    fn points_are_within_the_outline_and_on_all_of_it() {
        // An L: the square in its north-east is outside.
        let corners = [(0.0, 0.0), (0.0, 2.0), (1.0, 2.0), (1.0, 1.0), (2.0, 1.0), (2.0, 0.0)];
        let zone = Zone::new(1, "L".to_owned(), corners.to_vec()).unwrap();
        let mut dice = Dice::new(1, Purpose::Trips, &[]);
        let points: Vec<_> = (0..600).map(|_| zone.random_point(&mut dice)).collect();
        let count = |north: bool, east: bool| {
            let is_there =
                |point: &&Point| (point.latitude.degrees() > 1.0) == north && (point.longitude.degrees() > 1.0) == east;
            points.iter().filter(is_there).count()
        };
        assert_eq!(count(true, true), 0);
        assert!(count(false, false) > 150 && count(false, true) > 150 && count(true, false) > 150);
    }

    #[test]
    fn a_line_is_no_zone() {
        for outline in [vec![], vec![(0.0, 0.0)], vec![(0.0, 0.0), (1.0, 1.0)]] {
            assert_eq!(Zone::new(1, String::new(), outline), None);
        }
    }
}
