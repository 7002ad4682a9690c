//! Drivers by place.

use std::collections::BTreeSet;

use super::{Standing, records::Known};
use crate::dispatch::{geo::Point, grid::Grid};

/// Everybody who is in the index: who is passed over anyway is not in the way of those who look for somebody free.
#[derive(Debug, Default)]
pub(super) struct Sides {
    /// Who may be asked, provided that he was heard of lately enough.
    pub(super) free: Index,
    pub(super) others: Index,
}

impl Sides {
    pub(super) const fn of(&mut self, is_free: bool) -> &mut Index {
        if is_free { &mut self.free } else { &mut self.others }
    }
}

/// Some of the drivers.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) grid: Grid<Known>,
    /// Those whose position is not known.
    pub(super) unplaced: BTreeSet<Known>,
}

impl Index {
    pub(super) fn len(&self) -> usize {
        self.grid.len() + self.unplaced.len()
    }

    /// Adds a driver; gives where he is from now on.
    pub(super) fn insert(&mut self, known: Known, at: Option<Point>) -> Standing {
        if let Some(point) = at {
            return Standing::Placed(self.grid.insert(known, point));
        }
        self.unplaced.insert(known);
        Standing::Unplaced
    }

    /// Takes out a driver who is there.
    pub(super) fn remove(&mut self, known: Known, standing: Standing) {
        match standing {
            Standing::Placed(place) => self.grid.remove(place),
            Standing::Unplaced => _ = self.unplaced.remove(&known),
            Standing::Away => {}
        }
    }
}
