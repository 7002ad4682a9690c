//! The drivers, as far as dispatch needs to know them. Disposable: a restart builds it again.

use std::{
    collections::{BTreeSet, HashMap},
    ops::ControlFlow,
    time::Duration,
};

use holodrive_protocol::{OrderId, Timestamp, UserId, http::DriverStatus};

use serde::{Deserialize, Serialize};

use super::{
    geo::Point,
    grid::Grid,
    model::{Obstacle, Vehicle},
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
    /// Whether his phone was sent an offer that never arrived, and has not been heard of since.
    pub(super) unreachable: bool,
    /// What he drives, as far as anybody said.
    pub(super) vehicle: Option<Box<Vehicle>>,
}

impl Driver {
    /// Whether he wants orders and has no trip.
    pub(super) fn is_waiting(&self) -> bool {
        self.is_online() && self.trip.is_none()
    }

    /// What keeps the dispatcher from offering him anything; `None`: nothing.
    pub(super) fn obstacle(&self, now: Timestamp, rules: FleetRules) -> Option<Obstacle> {
        if !self.is_online() {
            Some(Obstacle::Offline)
        } else if self.trip.is_some() {
            Some(Obstacle::OnTrip)
        } else if self.offers >= rules.offers_per_driver {
            Some(Obstacle::Busy)
        } else if self.unreachable {
            Some(Obstacle::Unreachable)
        } else {
            (!self.is_fresh(now, rules.stale_after)).then_some(Obstacle::Stale)
        }
    }

    fn is_online(&self) -> bool {
        match self.status {
            Some(status) => status == DriverStatus::Online,
            None => self.sockets > 0,
        }
    }

    fn is_fresh(&self, now: Timestamp, stale_after: Duration) -> bool {
        self.sockets > 0 || self.seen_at.is_some_and(|seen| now.since(seen) <= stale_after)
    }
}

/// When a driver comes into question.
#[derive(Clone, Copy, Debug)]
pub(super) struct FleetRules {
    pub(super) stale_after: Duration,
    pub(super) offers_per_driver: u32,
}

/// All drivers, by key and by place.
#[derive(Debug, Default)]
pub(super) struct Fleet {
    drivers: HashMap<UserId, Driver>,
    grid: Grid<UserId>,
    /// Those who never told their position.
    unplaced: BTreeSet<UserId>,
    /// How many [`Driver::is_waiting`].
    waiting: usize,
}

impl Fleet {
    pub(super) fn driver(&self, id: UserId) -> Option<&Driver> {
        self.drivers.get(&id)
    }

    /// Changes a driver, whom it makes known if need be; his place is changed by [`Fleet::place`].
    pub(super) fn update(&mut self, id: UserId, change: impl FnOnce(&mut Driver)) -> &Driver {
        let unplaced = &mut self.unplaced;
        let driver = self.drivers.entry(id).or_insert_with(|| {
            unplaced.insert(id);
            Driver::default()
        });
        let before = usize::from(driver.is_waiting());
        change(driver);
        self.waiting = self.waiting + usize::from(driver.is_waiting()) - before;
        driver
    }

    /// How many drivers want orders and have no trip, whether or not they are stale.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Forgets what drivers have in hand.
    pub(super) fn forget_orders(&mut self) {
        for driver in self.drivers.values_mut() {
            driver.offers = 0;
            driver.trip = None;
        }
        self.waiting = self.drivers.values().filter(|driver| driver.is_waiting()).count();
    }

    /// Moves a driver.
    pub(super) fn place(&mut self, id: UserId, position: Position) {
        let driver = self.drivers.entry(id).or_default();
        match driver.position.replace(position) {
            Some(old) => self.grid.remove(id, old.point),
            None => _ = self.unplaced.remove(&id),
        }
        self.grid.insert(id, position.point);
    }

    /// Shows the drivers within the radius, the nearest first, until `visit` has seen enough. Who has never told his
    /// position comes after all who did: an app may not send any.
    pub(super) fn walk(
        &self,
        pickup: Point,
        radius_km: f64,
        mut visit: impl FnMut(UserId, &Driver, Option<f64>) -> ControlFlow<()>,
    ) {
        let mut flow = ControlFlow::Continue(());
        let mut show =
            |id: UserId, km| self.drivers.get(&id).map_or(ControlFlow::Continue(()), |driver| visit(id, driver, km));
        self.grid.walk(pickup, radius_km, |id, km| {
            flow = show(id, Some(km));
            flow
        });
        if flow.is_continue() {
            _ = self.unplaced.iter().try_for_each(|id| show(*id, None));
        }
    }
}
