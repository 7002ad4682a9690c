//! The drivers, as far as dispatch needs to know them. Disposable: a restart builds it again.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use holodrive_protocol::{OrderId, Timestamp, UserId, http::DriverStatus};

use serde::{Deserialize, Serialize};

use super::{
    geo::Point,
    grid::{Cell, Grid},
};

/// A known position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Where.
    pub point: Point,
    /// When.
    pub at: Timestamp,
}

/// A driver.
#[derive(Clone, Debug, Default)]
pub(super) struct Driver {
    pub(super) position: Option<Position>,
    /// What he said himself; `None` if nothing.
    pub(super) status: Option<DriverStatus>,
    /// Open driver sockets.
    pub(super) sockets: u32,
    /// The last poll, position, or end of a socket.
    pub(super) seen_at: Option<Timestamp>,
    /// Live offers, and offers that are being made.
    pub(super) offers: u32,
    /// The order he drives.
    pub(super) trip: Option<OrderId>,
}

impl Driver {
    /// Whether he may be offered an order by the dispatcher.
    pub(super) fn is_eligible(&self, now: Timestamp, rules: FleetRules) -> bool {
        let online = match self.status {
            Some(status) => status == DriverStatus::Online,
            None => self.sockets > 0,
        };
        online && self.is_fresh(now, rules.stale_after) && self.trip.is_none() && self.offers < rules.offers_per_driver
    }

    fn is_fresh(&self, now: Timestamp, stale_after: Duration) -> bool {
        let age = |seen: Timestamp| {
            Duration::from_micros(now.as_micros().saturating_sub(seen.as_micros()).max(0).unsigned_abs())
        };
        self.sockets > 0 || self.seen_at.is_some_and(|seen| age(seen) <= stale_after)
    }
}

/// When a driver comes into question.
#[derive(Clone, Copy, Debug)]
pub(super) struct FleetRules {
    pub(super) stale_after: Duration,
    pub(super) offers_per_driver: u32,
    pub(super) radius_km: f64,
}

/// All drivers, by key and by place.
#[derive(Debug, Default)]
pub(super) struct Fleet {
    drivers: HashMap<UserId, Driver>,
    grid: Grid<UserId>,
    /// Those who never told their position.
    unplaced: BTreeSet<UserId>,
}

impl Fleet {
    pub(super) fn driver(&self, id: UserId) -> Option<&Driver> {
        self.drivers.get(&id)
    }

    /// Changes a driver, whom it makes known if need be; his place is changed by [`Fleet::place`].
    pub(super) fn update(&mut self, id: UserId, change: impl FnOnce(&mut Driver)) {
        let unplaced = &mut self.unplaced;
        let driver = self.drivers.entry(id).or_insert_with(|| {
            unplaced.insert(id);
            Driver::default()
        });
        change(driver);
    }

    /// Forgets what drivers have in hand.
    pub(super) fn forget_orders(&mut self) {
        for driver in self.drivers.values_mut() {
            driver.offers = 0;
            driver.trip = None;
        }
    }

    /// Moves a driver.
    pub(super) fn place(&mut self, id: UserId, position: Position) {
        let driver = self.drivers.entry(id).or_default();
        let (from, to) = (driver.position.map(|old| Cell::of(old.point)), Cell::of(position.point));
        driver.position = Some(position);
        if from != Some(to) {
            match from {
                Some(from) => self.grid.remove(from, id),
                None => _ = self.unplaced.remove(&id),
            }
            self.grid.insert(to, id);
        }
    }

    /// The nearest eligible driver within the radius, and his distance in kilometres. Who has never told his position
    /// comes after all who did: an app may not send any.
    pub(super) fn nearest(
        &self,
        pickup: Point,
        now: Timestamp,
        rules: FleetRules,
        barred: impl Fn(UserId) -> bool,
    ) -> Option<(UserId, Option<f64>)> {
        let eligible =
            |id: UserId| self.drivers.get(&id).filter(|driver| driver.is_eligible(now, rules) && !barred(id));
        let measure = |id: UserId| Some(eligible(id)?.position?.point.distance_km(pickup));
        let placed = self.grid.nearest(pickup, rules.radius_km, measure).map(|(id, km)| (id, Some(km)));
        placed.or_else(|| self.unplaced.iter().find(|id| eligible(**id).is_some()).map(|id| (*id, None)))
    }
}
