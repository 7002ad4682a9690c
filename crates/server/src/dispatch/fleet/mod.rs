//! The drivers, by key and by place. Disposable: a restart builds it again.
//!
//! Whoever has been silent for long leaves the index by himself, and comes back into it when he is heard of. Of whom only
//! a position was known, is forgotten altogether.

mod driver;
mod records;
#[cfg(test)]
mod tests;
mod watch;

use std::{collections::BTreeSet, ops::ControlFlow, time::Duration};

use holodrive_protocol::{Timestamp, UserId};

use super::{
    geo::Point,
    grid::{Grid, Place},
};
pub(super) use driver::FleetRules;
pub use driver::{Driver, Position};
use records::{Known, Records};
use watch::Watch;

/// All drivers.
#[derive(Debug)]
pub struct Fleet {
    /// After how long a silence a driver leaves the index.
    away_after: Duration,
    records: Records,
    grid: Grid<Known>,
    /// Those in the index who never told their position.
    unplaced: BTreeSet<Known>,
    /// Everybody in the index, by the time at which to see whether he is still there.
    watch: Watch,
    /// How many in the index want orders and have no trip.
    waiting: usize,
}

/// Where a driver is in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Nowhere.
    Away,
    /// Among those who never told their position.
    Unplaced,
    /// In the grid.
    Placed(Place),
}

impl Fleet {
    /// No drivers. Who has no socket and has been silent for `away_after` is not found by a walk any more.
    pub fn new(away_after: Duration) -> Self {
        Self {
            away_after,
            records: Records::default(),
            grid: Grid::default(),
            unplaced: BTreeSet::new(),
            watch: Watch::default(),
            waiting: 0,
        }
    }

    /// What is known of a driver.
    pub fn driver(&self, id: UserId) -> Option<&Driver> {
        self.records.find(id).map(|known| &self.records.get(known).driver)
    }

    /// How many drivers are known, be they in the index or away.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether no driver is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many drivers want orders and have no trip, whether or not they are stale; who is away does not count.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Changes a driver, whom it makes known if need be; his place is changed by [`Fleet::place`].
    pub fn update<T>(&mut self, id: UserId, change: impl FnOnce(&mut Driver) -> T) -> T {
        let known = self.records.find_or_add(id);
        let record = self.records.get_mut(known);
        let (seen_at, was_waiting) = (record.driver.seen_at, record.is_waiting());
        let result = change(&mut record.driver);
        let is_waiting = record.is_waiting();
        self.waiting = self.waiting + usize::from(is_waiting) - usize::from(was_waiting);
        if record.standing == Standing::Away {
            if record.driver.sockets > 0 || record.driver.seen_at > seen_at {
                self.come_back(known);
            } else {
                self.forget_unless_needed(known);
            }
        }
        result
    }

    /// A driver told where he is. However far that is from where he was: it is what his phone says.
    pub fn place(&mut self, id: UserId, position: Position) -> &Driver {
        let known = self.records.find_or_add(id);
        let record = self.records.get_mut(known);
        record.driver.position = Some(position);
        record.driver.heard_at(position.at);
        match record.standing {
            Standing::Placed(place) => self.grid.relocate(place, position.point),
            Standing::Unplaced => {
                self.unplaced.remove(&known);
                record.standing = Standing::Placed(self.grid.insert(known, position.point));
            }
            Standing::Away => self.come_back(known),
        }
        &self.records.get(known).driver
    }

    /// Forgets what drivers have in hand.
    pub fn forget_orders(&mut self) {
        let (mut idle, mut waiting) = (Vec::new(), 0);
        for (known, record) in self.records.iter_mut() {
            (record.driver.offers, record.driver.trip) = (0, None);
            waiting += usize::from(record.is_waiting());
            idle.extend((record.standing == Standing::Away).then_some(known));
        }
        self.waiting = waiting;
        for known in idle {
            self.forget_unless_needed(known);
        }
    }

    /// Visits the drivers within the radius, the nearest one first, with their distances in kilometres, and then those who
    /// never told their position: an app may not send any. Ends when `visit` breaks off.
    pub fn walk(
        &self,
        pickup: Point,
        radius_km: f64,
        mut visit: impl FnMut(UserId, &Driver, Option<f64>) -> ControlFlow<()>,
    ) {
        let mut show = |known: Known, km| visit(known.id, &self.records.get(known).driver, km);
        if self.grid.try_walk(pickup, radius_km, |known, km| show(known, Some(km))).is_continue() {
            _ = self.unplaced.iter().try_for_each(|known| show(*known, None));
        }
    }

    /// Takes out of the index who has been silent for long. Costs next to nothing, however many drivers there are: each
    /// one is looked at once in `away_after`.
    pub fn expire(&mut self, now: Timestamp) {
        for index in self.watch.due(now) {
            let known = self.records.known(index);
            let until = self.records.get(known).driver.present_until(self.away_after);
            if until < now {
                self.leave(known);
            } else {
                self.watch.look_at(index, until.min(now.after(self.away_after)));
            }
        }
    }

    fn come_back(&mut self, known: Known) {
        let record = self.records.get_mut(known);
        record.standing = if let Some(position) = record.driver.position {
            Standing::Placed(self.grid.insert(known, position.point))
        } else {
            self.unplaced.insert(known);
            Standing::Unplaced
        };
        // Not when his sockets say: they may close at any time.
        self.watch.look_at(known.index, record.driver.silent_since().after(self.away_after));
        self.waiting += usize::from(record.is_waiting());
    }

    fn leave(&mut self, known: Known) {
        let record = self.records.get_mut(known);
        self.waiting -= usize::from(record.is_waiting());
        match std::mem::replace(&mut record.standing, Standing::Away) {
            Standing::Placed(place) => self.grid.remove(place),
            Standing::Unplaced => _ = self.unplaced.remove(&known),
            Standing::Away => {}
        }
        self.forget_unless_needed(known);
    }

    fn forget_unless_needed(&mut self, known: Known) {
        if self.records.get(known).driver.is_forgettable() {
            self.records.remove(known);
        }
    }
}
