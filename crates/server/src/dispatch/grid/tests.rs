#![allow(clippy::unwrap_used, reason = "tests")]

use std::ops::ControlFlow::{Break, Continue};

use holodrive_protocol::{Latitude, Longitude};
use proptest::prelude::*;

use super::{
    Grid, Place,
    cell::{Cell, Origin},
};
use crate::dispatch::geo::Point;

fn point(latitude: f64, longitude: f64) -> Point {
    Point {
        latitude: Latitude::from_degrees(latitude).unwrap(),
        longitude: Longitude::from_degrees(longitude).unwrap(),
    }
}

/// A place that many others are near, among them the poles and both sides of 180°.
fn centre() -> impl Strategy<Value = (f64, f64)> {
    let known =
        [(41.3, 69.2), (0.0, 180.0), (0.0, -180.0), (65.0, 179.99), (90.0, 0.0), (89.99, -120.0), (-90.0, 45.0)];
    prop_oneof![3 => prop::sample::select(known.to_vec()), 1 => (-90.0..=90.0_f64, -180.0..=180.0_f64)]
}

prop_compose! {
    /// Anywhere on the globe, but rarely alone; now and then exactly where others are.
    pub(in crate::dispatch) fn anywhere()(
        centre in centre(), spread in prop::sample::select(vec![0.0, 0.0005, 0.02, 1.0]),
        north in -1.0..1.0_f64, east in -1.0..1.0_f64,
    ) -> Point {
        let longitude = (centre.1 + spread * east + 540.0).rem_euclid(360.0) - 180.0;
        point((centre.0 + spread * north).clamp(-90.0, 90.0), longitude)
    }
}

pub(in crate::dispatch) fn radius() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.0), 0.0..0.2_f64, 0.0..30.0_f64, 0.0..21_000.0_f64, Just(f64::INFINITY)]
}

#[derive(Clone, Debug)]
enum Step {
    Insert(Point),
    Relocate(prop::sample::Index, Point),
    Nudge(prop::sample::Index, i64, i64),
    Remove(prop::sample::Index),
    Walk(Point, f64, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let which = any::<prop::sample::Index>;
    prop_oneof![
        4 => anywhere().prop_map(Step::Insert),
        1 => (which(), anywhere()).prop_map(|(which, to)| Step::Relocate(which, to)),
        2 => (which(), -900..900_i64, -900..900_i64).prop_map(|(which, north, east)| Step::Nudge(which, north, east)),
        1 => which().prop_map(Step::Remove),
        2 => (anywhere(), radius(), 1..50_usize).prop_map(|(from, radius, most)| Step::Walk(from, radius, most)),
    ]
}

fn nudged(point: Point, north: i64, east: i64) -> Point {
    let latitude = (point.latitude.microdegrees() + north).clamp(-90_000_000, 90_000_000);
    let longitude = (point.longitude.microdegrees() + east + 540_000_000).rem_euclid(360_000_000) - 180_000_000;
    Point {
        latitude: Latitude::from_microdegrees(latitude).unwrap(),
        longitude: Longitude::from_microdegrees(longitude).unwrap(),
    }
}

fn walked(grid: &Grid<u32>, from: Point, radius_km: f64, most: usize) -> Vec<(f64, u32)> {
    let mut walked = Vec::new();
    grid.walk(from, radius_km, |key, km| {
        walked.push((km, key));
        if walked.len() < most { Continue(()) } else { Break(()) }
    });
    walked
}

fn looked_at(all: &[(u32, Point, Place)], from: Point, radius_km: f64, most: usize) -> Vec<(f64, u32)> {
    let mut near: Vec<_> = all.iter().map(|(key, point, _)| (from.distance_km(*point), *key)).collect();
    near.retain(|(km, _)| *km <= radius_km);
    near.sort_by(|(km, key), (other_km, other)| km.total_cmp(other_km).then(key.cmp(other)));
    near.truncate(most);
    near
}

proptest! {
    #[test]
    fn walking_agrees_with_looking_at_everybody(steps in prop::collection::vec(step(), 0..200)) {
        let (mut grid, mut all) = (Grid::default(), Vec::<(u32, Point, Place)>::new());
        for (key, step) in (0..).zip(steps) {
            match step {
                // Keys do not grow with time, so that the order of equals is tested too.
                Step::Insert(point) => {
                    let key = key ^ 0x55;
                    all.push((key, point, grid.insert(key, point)));
                }
                Step::Relocate(which, to) if !all.is_empty() => {
                    let (_, point, place) = which.get_mut(&mut all);
                    *point = to;
                    grid.relocate(*place, to);
                }
                Step::Nudge(which, north, east) if !all.is_empty() => {
                    let (_, point, place) = which.get_mut(&mut all);
                    *point = nudged(*point, north, east);
                    grid.relocate(*place, *point);
                }
                Step::Remove(which) if !all.is_empty() => {
                    let (_, _, place) = all.swap_remove(which.index(all.len()));
                    grid.remove(place);
                }
                Step::Walk(from, radius, most) => {
                    prop_assert_eq!(walked(&grid, from, radius, most), looked_at(&all, from, radius, most));
                }
                _ => {}
            }
        }
        for (_, from, _) in all.iter().step_by(20) {
            prop_assert_eq!(walked(&grid, *from, 5.0, usize::MAX), looked_at(&all, *from, 5.0, usize::MAX));
        }
        for (_, _, place) in all {
            grid.remove(place);
        }
        prop_assert!(grid.entries.is_empty() && grid.leaves.is_empty() && grid.branches.is_empty(), "nothing is left");
    }

    #[test]
    fn no_cell_is_taken_for_farther_than_what_is_in_it(from in anywhere(), to in anywhere()) {
        let (origin, km) = (Origin::new(from), from.distance_km(to));
        let nearly = origin.nearly_km(to);
        prop_assert!(nearly <= km, "{nearly} for {km} km");
        if km < 100.0 && to.latitude.degrees().abs() < 60.0 {
            prop_assert!(nearly > 0.999 * km - 1e-6, "{nearly} for {km} km");
        }
        let cells = std::iter::successors(Some(Cell::leaf(to)), |cell| cell.parent().map(|(parent, _)| parent));
        for cell in cells {
            let at_least = origin.at_least_km(cell);
            prop_assert!((0.0..=km).contains(&at_least), "{cell:?} is {at_least} km away, and {to:?} in it {km} km");
        }
    }

    #[test]
    fn near_cells_are_told_from_far_ones(latitude in -85.0..85.0_f64, longitude in -180.0..180.0_f64) {
        let from = point(latitude, longitude);
        let origin = Origin::new(from);
        prop_assert!(origin.at_least_km(Cell::leaf(from)) < 1e-6);
        let far = nudged(from, 0, 500_000);
        let (at_least, km) = (origin.at_least_km(Cell::leaf(far)), from.distance_km(far));
        prop_assert!(at_least > 0.97 * km - 0.2, "{at_least} for {km} km");
    }
}

#[test]
fn a_cell_and_its_children_belong_together() {
    let leaf = Cell::leaf(point(41.311_081, 69.240_562));
    let mut cell = leaf;
    while let Some((parent, bit)) = cell.parent() {
        assert_eq!(parent.children(bit).collect::<Vec<_>>(), [cell]);
        assert_eq!(parent.children(u64::MAX).count(), 64);
        cell = parent;
    }
    assert_eq!(cell, Cell::ALL);
}
