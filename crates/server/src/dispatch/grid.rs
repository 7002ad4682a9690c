//! What is near a place, be it drivers or waiting orders: cells of a hundredth of a degree, searched in rings outward.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BinaryHeap, HashMap},
    ops::ControlFlow,
};

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

/// What is in each cell, and where exactly.
#[derive(Debug)]
pub(super) struct Grid<K> {
    cells: HashMap<Cell, Vec<(K, Point)>>,
}

impl<K> Default for Grid<K> {
    fn default() -> Self {
        Self { cells: HashMap::new() }
    }
}

impl<K: Copy + Ord> Grid<K> {
    pub(super) fn insert(&mut self, key: K, at: Point) {
        self.cells.entry(Cell::of(at)).or_default().push((key, at));
    }

    pub(super) fn remove(&mut self, key: K, at: Point) {
        let cell = Cell::of(at);
        if let Some(keys) = self.cells.get_mut(&cell) {
            keys.retain(|(other, _)| *other != key);
            if keys.is_empty() {
                self.cells.remove(&cell);
            }
        }
    }

    /// Shows what is within the radius, the nearest first, until `visit` has seen enough; of two at the same distance the
    /// smaller key comes first.
    pub(super) fn walk(&self, from: Point, radius_km: f64, mut visit: impl FnMut(K, f64) -> ControlFlow<()>) {
        // Where the rings would hold more cells than there are in use, looking at those in use is cheaper. Near the
        // poles the cells grow so narrow that rings say nothing about distance, and this is the way as well.
        let rings = rings_within(from, radius_km).filter(|rings| (2 * rings + 1).pow(2) <= self.cells.len() as u64);
        let mut near = Near { from, radius_km, heap: BinaryHeap::new() };
        let Some(rings) = rings else {
            near.extend(self.cells.values().flatten());
            _ = near.visit_up_to(f64::INFINITY, &mut visit);
            return;
        };
        for ring in 0..=rings {
            near.extend(ring_cells(Cell::of(from), ring).filter_map(|cell| self.cells.get(&cell)).flatten());
            // Whatever is in a later ring is at least so far away.
            if near.visit_up_to(ring_distance_km(from, ring + 1), &mut visit).is_break() {
                return;
            }
        }
        _ = near.visit_up_to(f64::INFINITY, &mut visit);
    }
}

/// What was found and not yet shown.
struct Near<K> {
    from: Point,
    radius_km: f64,
    heap: BinaryHeap<Reverse<(Km, K)>>,
}

impl<K: Copy + Ord> Near<K> {
    fn extend<'k>(&mut self, found: impl Iterator<Item = &'k (K, Point)>)
    where
        K: 'k,
    {
        let (from, radius_km) = (self.from, self.radius_km);
        let measured = found.map(|(key, at)| (Km(from.distance_km(*at)), *key));
        self.heap.extend(measured.filter(|(km, _)| km.0 <= radius_km).map(Reverse));
    }

    fn visit_up_to(&mut self, km: f64, visit: &mut impl FnMut(K, f64) -> ControlFlow<()>) -> ControlFlow<()> {
        while let Some(Reverse((nearest, key))) = self.heap.peek().copied() {
            if nearest.0 > km {
                break;
            }
            self.heap.pop();
            visit(key, nearest.0)?;
        }
        ControlFlow::Continue(())
    }
}

/// A distance, in the order of numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Km(f64);

impl Eq for Km {}

impl PartialOrd for Km {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Km {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
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
        fn a_walk_shows_everybody_in_the_order_of_distance(
            drivers in prop::collection::vec(anywhere(), 0..400), from in anywhere(), radius in 0.0..30.0_f64,
        ) {
            let mut grid = Grid::default();
            for (id, driver) in drivers.iter().enumerate() {
                grid.insert(id, *driver);
            }
            let mut walked = Vec::new();
            grid.walk(from, radius, |id, km| {
                walked.push((km, id));
                ControlFlow::Continue(())
            });
            let measured = drivers.iter().enumerate().map(|(id, driver)| (from.distance_km(*driver), id));
            let mut expected: Vec<_> = measured.filter(|(km, _)| *km <= radius).collect();
            expected.sort_by(|a, b| a.partial_cmp(b).unwrap());
            prop_assert_eq!(walked, expected);
        }
    }
}
