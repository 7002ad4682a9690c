//! Walking over grids in order of growing distance.

use std::{
    cmp::Ordering,
    collections::BinaryHeap,
    ops::ControlFlow::{self, Continue},
};

use super::{
    Entry, Grid,
    cell::{Cell, Origin},
};
use crate::dispatch::geo::Point;

/// Steps for which there is room from the beginning: enough for the nearest few in most places.
const ROOM: usize = 128;

impl<K: Copy + Ord> Grid<K> {
    /// The same as [`walk`] over this grid alone, for those to whom it is all the same how it ended.
    pub(crate) fn walk(&self, from: Point, radius_km: f64, visit: impl FnMut(K, f64) -> ControlFlow<()>) {
        _ = walk([self], from, radius_km, visit);
    }

    fn entries_in(&self, leaf: Cell) -> impl Iterator<Item = &Entry<K>> {
        let first = self.leaves.get(&leaf).copied();
        let entry = |place: super::Place| &self.entries[place.index()];
        std::iter::successors(first.map(entry), move |entry_before| entry_before.after.map(entry))
    }
}

/// Visits all keys within the radius in these grids, as if they were one: the nearest key first, with their distances in
/// kilometres, until `visit` breaks off; of keys at the same distance the smallest first. Only what is nearer than the next
/// key is looked into.
pub(crate) fn walk<'g, K: Copy + Ord + 'g>(
    grids: impl IntoIterator<Item = &'g Grid<K>>,
    from: Point,
    radius_km: f64,
    mut visit: impl FnMut(K, f64) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let origin = Origin::new(from);
    let mut ahead = BinaryHeap::with_capacity(ROOM);
    ahead.extend(grids.into_iter().map(|grid| Step { km: 0.0, to: To::Cell(grid, Cell::ALL) }));
    while let Some(Step { km, to }) = ahead.pop() {
        match to {
            To::Entry(entry) => visit(entry.key, km)?,
            To::Nearly(entry) => {
                let km = from.distance_km(entry.point);
                ahead.extend((km <= radius_km).then_some(Step { km, to: To::Entry(entry) }));
            }
            To::Cell(grid, leaf) if leaf.is_leaf() => {
                let entries = grid.entries_in(leaf);
                let steps = entries.map(|entry| Step { km: origin.nearly_km(entry.point), to: To::Nearly(entry) });
                ahead.extend(steps.filter(|step| step.km <= radius_km));
            }
            To::Cell(grid, cell) => {
                let cells = cell.children(grid.branches.get(&cell).copied().unwrap_or(0));
                let steps = cells.map(|cell| Step { km: origin.at_least_km(cell), to: To::Cell(grid, cell) });
                ahead.extend(steps.filter(|step| step.km <= radius_km));
            }
        }
    }
    Continue(())
}

/// Something to be looked at, and how near it is at least.
struct Step<'g, K> {
    km: f64,
    to: To<'g, K>,
}

enum To<'g, K> {
    Cell(&'g Grid<K>, Cell),
    /// Most entries are never reached: their distances are not worth being computed exactly.
    Nearly(&'g Entry<K>),
    Entry(&'g Entry<K>),
}

impl<K: Ord> Ord for Step<'_, K> {
    /// The nearest is the greatest, as the heap wants it. What is not exact comes before a key that is as far away: it may
    /// hold a smaller one.
    fn cmp(&self, other: &Self) -> Ordering {
        other.km.total_cmp(&self.km).then_with(|| match (&self.to, &other.to) {
            (To::Entry(entry), To::Entry(other)) => other.key.cmp(&entry.key),
            (_, To::Entry(_)) => Ordering::Greater,
            (To::Entry(_), _) => Ordering::Less,
            _ => Ordering::Equal,
        })
    }
}

impl<K: Ord> PartialOrd for Step<'_, K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K: Ord> PartialEq for Step<'_, K> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<K: Ord> Eq for Step<'_, K> {}
