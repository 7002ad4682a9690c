//! The drivers, by key and by place. Disposable: a restart builds it again.
//!
//! Whoever has been silent for long leaves the index by himself, and comes back into it when he is heard of. Of whom only
//! a position was known, is forgotten altogether.

mod driver;
mod index;
mod records;
#[cfg(test)]
mod tests;
mod watch;

use std::{ops::ControlFlow, time::Duration};

use holodrive_protocol::{Timestamp, UserId};

use super::{
    geo::Point,
    grid::{self, Place},
};
pub(super) use driver::FleetRules;
pub use driver::{Driver, Position};
use index::Sides;
use records::{Known, Record, Records};
use watch::Watch;

/// All drivers.
#[derive(Debug)]
pub struct Fleet {
    /// After how long a silence a driver leaves the index.
    away_after: Duration,
    /// Live offers that a driver may hold and be free for more.
    offers_per_driver: u32,
    records: Records,
    sides: Sides,
    /// Everybody in the index, by the time at which to see whether he is still there.
    watch: Watch,
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
    /// No drivers. Who has no socket and has been silent for `away_after` is not found by a walk any more. Who has an offer
    /// is free for no other.
    pub fn new(away_after: Duration) -> Self {
        Self {
            away_after,
            offers_per_driver: 1,
            records: Records::default(),
            sides: Sides::default(),
            watch: Watch::default(),
        }
    }

    /// The same, where a driver may hold so many offers.
    pub(super) fn with_offers_per_driver(self, offers_per_driver: u32) -> Self {
        Self { offers_per_driver, ..self }
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

    /// How many drivers may be asked, whether or not they are stale; who is away does not count.
    pub fn free(&self) -> usize {
        self.sides.free.len()
    }

    /// Changes a driver, whom it makes known if need be; his place is changed by [`Fleet::place`].
    pub fn update<T>(&mut self, id: UserId, change: impl FnOnce(&mut Driver) -> T) -> T {
        let known = self.records.find_or_add(id);
        let record = self.records.get_mut(known);
        let (seen_at, was_free) = (record.driver.seen_at, record.driver.is_free(self.offers_per_driver));
        let result = change(&mut record.driver);
        match record.standing {
            Standing::Away if record.driver.sockets > 0 || record.driver.seen_at > seen_at => self.come_back(known),
            Standing::Away => self.forget_unless_needed(known),
            Standing::Unplaced | Standing::Placed(_) => {
                change_sides(&mut self.sides, known, record, was_free, self.offers_per_driver);
            }
        }
        result
    }

    /// A driver told where he is. However far that is from where he was: it is what his phone says.
    pub fn place(&mut self, id: UserId, position: Position) -> &Driver {
        let known = self.records.find_or_add(id);
        let record = self.records.get_mut(known);
        let was_free = record.driver.is_free(self.offers_per_driver);
        record.driver.position = Some(position);
        record.driver.heard_at(position.at);
        let is_free = record.driver.is_free(self.offers_per_driver);
        match record.standing {
            Standing::Placed(place) if is_free == was_free => {
                self.sides.of(is_free).grid.relocate(place, position.point);
            }
            Standing::Away => self.come_back(known),
            standing => {
                self.sides.of(was_free).remove(known, standing);
                record.standing = self.sides.of(is_free).insert(known, Some(position.point));
            }
        }
        &self.records.get(known).driver
    }

    /// Forgets what drivers have in hand.
    pub fn forget_orders(&mut self) {
        let mut idle = Vec::new();
        for (known, record) in self.records.iter_mut() {
            let was_free = record.driver.is_free(self.offers_per_driver);
            (record.driver.offers, record.driver.trip) = (0, None);
            change_sides(&mut self.sides, known, record, was_free, self.offers_per_driver);
            idle.extend((record.standing == Standing::Away).then_some(known));
        }
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
        let Sides { free, others } = &self.sides;
        if grid::walk([&free.grid, &others.grid], pickup, radius_km, |known, km| show(known, Some(km))).is_continue() {
            _ = free.unplaced.union(&others.unplaced).try_for_each(|known| show(*known, None));
        }
    }

    /// The same for those who may be asked, whether or not they are stale, and who told their position.
    pub fn walk_free(
        &self,
        pickup: Point,
        radius_km: f64,
        mut visit: impl FnMut(UserId, &Driver, f64) -> ControlFlow<()>,
    ) {
        let driver = |known: Known| &self.records.get(known).driver;
        self.sides.free.grid.walk(pickup, radius_km, |known, km| visit(known.id, driver(known), km));
    }

    /// Those who may be asked, and never told their position.
    pub(super) fn free_unplaced(&self) -> impl Iterator<Item = (UserId, &Driver)> {
        self.sides.free.unplaced.iter().map(|known| (known.id, &self.records.get(*known).driver))
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
        let at = record.driver.position.map(|position| position.point);
        record.standing = self.sides.of(record.driver.is_free(self.offers_per_driver)).insert(known, at);
        // Not when his sockets say: they may close at any time.
        self.watch.look_at(known.index, record.driver.silent_since().after(self.away_after));
    }

    fn leave(&mut self, known: Known) {
        let record = self.records.get_mut(known);
        let standing = std::mem::replace(&mut record.standing, Standing::Away);
        self.sides.of(record.driver.is_free(self.offers_per_driver)).remove(known, standing);
        self.forget_unless_needed(known);
    }

    fn forget_unless_needed(&mut self, known: Known) {
        if self.records.get(known).driver.is_forgettable() {
            self.records.remove(known);
        }
    }
}

/// A driver belongs to those who are free, or to the others, from now on.
fn change_sides(sides: &mut Sides, known: Known, record: &mut Record, was_free: bool, offers_per_driver: u32) {
    let is_free = record.driver.is_free(offers_per_driver);
    if is_free == was_free {
        return;
    }
    let at = match record.standing {
        Standing::Away => return,
        Standing::Unplaced => None,
        Standing::Placed(_) => record.driver.position.map(|position| position.point),
    };
    sides.of(was_free).remove(known, record.standing);
    record.standing = sides.of(is_free).insert(known, at);
}
