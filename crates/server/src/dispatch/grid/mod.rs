//! What is near a place, be it drivers or waiting orders.
//!
//! The globe is divided into cells of a thousandth of a degree, and these are gathered into larger ones, eight by eight,
//! until one holds everything. A cell that is in use knows which of its cells are. So emptiness costs nothing, wherever
//! and however large it is, and crowds are divided finely.

mod cell;
#[cfg(test)]
pub(in crate::dispatch) mod tests;
mod walk;

use std::num::NonZeroU32;

use hashbrown::{HashMap, hash_map::Entry as Slot};
use slab::Slab;

use super::geo::Point;
use cell::Cell;
pub(super) use walk::walk;

/// Keys at their points.
#[derive(Debug)]
pub(super) struct Grid<K> {
    entries: Slab<Entry<K>>,
    /// The first entry in each leaf; it leads to the others.
    leaves: HashMap<Cell, Place>,
    /// Which cells in a larger one are in use, a bit for each.
    branches: HashMap<Cell, u64>,
}

/// A key, in a list of all those in its leaf.
#[derive(Debug)]
struct Entry<K> {
    key: K,
    point: Point,
    before: Option<Place>,
    after: Option<Place>,
}

/// Where in the grid a key is kept, so that it need not be looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(NonZeroU32);

impl Place {
    /// Numbers begin with one, so that no place takes no more room than a place.
    fn new(index: usize) -> Self {
        let number = u32::try_from(index).ok().and_then(|index| NonZeroU32::MIN.checked_add(index));
        Self(number.unwrap_or(NonZeroU32::MAX))
    }

    const fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

impl<K> Default for Grid<K> {
    fn default() -> Self {
        Self { entries: Slab::new(), leaves: HashMap::new(), branches: HashMap::new() }
    }
}

impl<K> Grid<K> {
    /// Whether there is no key.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Adds a key. Whoever adds it remembers its place.
    pub(super) fn insert(&mut self, key: K, point: Point) -> Place {
        let place = Place::new(self.entries.insert(Entry { key, point, before: None, after: None }));
        self.link(place);
        place
    }

    /// Takes a key out; its place is not valid any more.
    pub(super) fn remove(&mut self, place: Place) {
        self.unlink(place);
        self.entries.remove(place.index());
    }

    /// Moves a key, however far.
    pub(super) fn relocate(&mut self, place: Place, to: Point) {
        let from = self.entry(place).point;
        if Cell::leaf(from) == Cell::leaf(to) {
            self.entry(place).point = to;
        } else {
            self.unlink(place);
            self.entry(place).point = to;
            self.link(place);
        }
    }

    fn entry(&mut self, place: Place) -> &mut Entry<K> {
        &mut self.entries[place.index()]
    }

    /// Puts an entry first in the list of its leaf.
    fn link(&mut self, place: Place) {
        let leaf = Cell::leaf(self.entry(place).point);
        let next = match self.leaves.entry(leaf) {
            Slot::Occupied(mut first) => Some(first.insert(place)),
            Slot::Vacant(none) => {
                none.insert(place);
                self.mark(leaf);
                None
            }
        };
        if let Some(next) = next {
            self.entry(next).before = Some(place);
        }
        let entry = self.entry(place);
        (entry.before, entry.after) = (None, next);
    }

    fn unlink(&mut self, place: Place) {
        let Entry { point, before, after, .. } = *self.entry(place);
        if let Some(after) = after {
            self.entry(after).before = before;
        }
        let leaf = Cell::leaf(point);
        match (before, after) {
            (Some(before), _) => self.entry(before).after = after,
            (None, Some(after)) => _ = self.leaves.insert(leaf, after),
            (None, None) => {
                self.leaves.remove(&leaf);
                self.unmark(leaf);
            }
        }
    }

    /// A leaf is in use from now on, and so are the cells that it is in.
    fn mark(&mut self, leaf: Cell) {
        let mut cell = leaf;
        while let Some((parent, bit)) = cell.parent() {
            let bits = self.branches.entry(parent).or_insert(0);
            let was_in_use = *bits != 0;
            *bits |= bit;
            if was_in_use {
                return;
            }
            cell = parent;
        }
    }

    /// A leaf is not in use any more, and perhaps some of the cells that it is in are not either.
    fn unmark(&mut self, leaf: Cell) {
        let mut cell = leaf;
        while let Some((parent, bit)) = cell.parent() {
            if let Slot::Occupied(mut bits) = self.branches.entry(parent) {
                *bits.get_mut() &= !bit;
                if *bits.get() != 0 {
                    return;
                }
                bits.remove();
            }
            cell = parent;
        }
    }
}
