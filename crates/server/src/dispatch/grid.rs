//! What is near a place, be it drivers or waiting orders: cells of a hundredth of a degree, searched in rings outward.

use std::collections::HashMap;

use super::geo::Point;

/// Microdegrees on each side of a cell: 1.11 km from south to north.
const CELL: i64 = 10_000;
const CELLS_AROUND: i64 = 360_000_000 / CELL;
/// Kilometres from south to north of a cell.
const CELL_KM: f64 = 1.112;

/// A cell of the grid: row from the south, column from the west.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Cell {
    row: i64,
    column: i64,
}

impl Cell {
    pub(super) fn of(point: Point) -> Self {
        Self {
            row: point.latitude.microdegrees().div_euclid(CELL),
            column: point.longitude.microdegrees().div_euclid(CELL).rem_euclid(CELLS_AROUND),
        }
    }
}

/// The keys of what is in each cell.
#[derive(Debug)]
pub(super) struct Grid<K> {
    cells: HashMap<Cell, Vec<K>>,
}

impl<K> Default for Grid<K> {
    fn default() -> Self {
        Self { cells: HashMap::new() }
    }
}

impl<K: Copy + Ord> Grid<K> {
    pub(super) fn insert(&mut self, cell: Cell, key: K) {
        self.cells.entry(cell).or_default().push(key);
    }

    pub(super) fn remove(&mut self, cell: Cell, key: K) {
        if let Some(keys) = self.cells.get_mut(&cell) {
            keys.retain(|other| *other != key);
            if keys.is_empty() {
                self.cells.remove(&cell);
            }
        }
    }

    /// The key with the smallest distance by `measure`, which says `None` for one that does not come into question;
    /// nothing farther than `radius_km` is looked at.
    pub(super) fn nearest(&self, from: Point, radius_km: f64, measure: impl Fn(K) -> Option<f64>) -> Option<(K, f64)> {
        // Where the rings would hold more cells than there are in use, looking at those in use is cheaper. Near the
        // poles the cells grow so narrow that rings say nothing about distance, and this is the way as well.
        let rings = rings_within(from, radius_km);
        if rings.is_none_or(|rings| (2 * rings + 1).pow(2) > self.cells.len() as u64) {
            return best(self.cells.values().flatten(), radius_km, &measure);
        }
        let mut found: Option<(K, f64)> = None;
        for ring in 0..=rings.unwrap_or(0) {
            // Whatever is in this ring or beyond is at least so far away.
            if found.is_some_and(|(_, km)| km <= ring_distance_km(from, ring)) {
                break;
            }
            let limit = found.map_or(radius_km, |(_, km)| km);
            let keys = ring_cells(Cell::of(from), ring).filter_map(|cell| self.cells.get(&cell)).flatten();
            found = best(keys, limit, &measure).or(found);
        }
        found
    }
}

fn best<'k, K: Copy + Ord + 'k>(
    keys: impl Iterator<Item = &'k K>,
    limit_km: f64,
    measure: impl Fn(K) -> Option<f64>,
) -> Option<(K, f64)> {
    keys.filter_map(|key| Some((*key, measure(*key)?)))
        .filter(|(_, km)| *km <= limit_km)
        .min_by(|(a_id, a_km), (b_id, b_km)| a_km.total_cmp(b_km).then(a_id.cmp(b_id)))
}

/// Kilometres from west to east of a cell at that latitude, made small enough for the farther side of the rings.
fn narrowest_km(from: Point, rings: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "rings are few")]
    let farthest = from.latitude.degrees().abs() + (rings + 1) as f64 * 0.01;
    if farthest >= 90.0 { 0.0 } else { CELL_KM * farthest.to_radians().cos() }
}

/// How many rings hold everything within the radius; `None` where they would be too many.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the quotient is checked")]
fn rings_within(from: Point, radius_km: f64) -> Option<u64> {
    let rows = (radius_km / CELL_KM).ceil();
    let width = narrowest_km(from, rows as u64);
    let columns = radius_km / width;
    (columns.is_finite() && columns < 1_000.0).then(|| columns.max(rows).ceil() as u64 + 1)
}

/// At least so far is everything in the ring of that number.
#[expect(clippy::cast_precision_loss, reason = "rings are few")]
fn ring_distance_km(from: Point, ring: u64) -> f64 {
    ring.saturating_sub(1) as f64 * narrowest_km(from, ring).min(CELL_KM)
}

/// The cells whose row or column is exactly `ring` away.
fn ring_cells(center: Cell, ring: u64) -> impl Iterator<Item = Cell> {
    let ring = i64::try_from(ring).unwrap_or(i64::MAX);
    (-ring..=ring).flat_map(move |row| {
        let step = if row.abs() == ring { 1 } else { (2 * ring).max(1) };
        (-ring..=ring).step_by(usize::try_from(step).unwrap_or(1)).map(move |column| Cell {
            row: center.row + row,
            column: (center.column + column).rem_euclid(CELLS_AROUND),
        })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use holodrive_protocol::{Latitude, Longitude};
    use proptest::prelude::*;

    use super::*;

    fn point(latitude: f64, longitude: f64) -> Point {
        Point {
            latitude: Latitude::from_degrees(latitude).unwrap(),
            longitude: Longitude::from_degrees(longitude).unwrap(),
        }
    }

    prop_compose! {
        fn anywhere()(center in prop_oneof![Just((41.3, 69.2)), Just((0.0, 180.0)), Just((89.95, 10.0)), Just((-60.0, -0.001))],
            dlat in -0.2..0.2_f64, dlon in -0.3..0.3_f64) -> Point {
            let longitude = (center.1 + dlon + 540.0).rem_euclid(360.0) - 180.0;
            point((center.0 + dlat).clamp(-90.0, 90.0), longitude)
        }
    }

    proptest! {
        #[test]
        fn nearest_agrees_with_looking_at_everybody(
            drivers in prop::collection::vec(anywhere(), 0..400), from in anywhere(), radius in 0.0..30.0_f64,
        ) {
            let mut grid = Grid::default();
            for (id, driver) in (0..).zip(&drivers) {
                grid.insert(Cell::of(*driver), id);
            }
            let measure = |id: usize| Some(from.distance_km(drivers[id]));
            let everybody: Vec<usize> = (0..drivers.len()).collect();
            let found = grid.nearest(from, radius, measure).map(|(_, km)| km);
            prop_assert_eq!(found, best(everybody.iter(), radius, measure).map(|(_, km)| km));
        }
    }
}
