//! The drivers, as far as dispatch needs to know them. Disposable: a restart builds it again.

use std::{collections::HashMap, time::Duration};

use holodrive_protocol::{OrderId, Timestamp, UserId, http::DriverStatus};

use super::{
    geo::Point,
    grid::{Cell, Grid},
};

/// A known position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    fn is_eligible(&self, now: Timestamp, rules: FleetRules) -> bool {
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
    grid: Grid,
}

impl Fleet {
    pub(super) fn driver(&self, id: UserId) -> Option<&Driver> {
        self.drivers.get(&id)
    }

    /// Changes a driver, whom it makes known if need be; his place is changed by [`Fleet::place`].
    pub(super) fn update(&mut self, id: UserId, change: impl FnOnce(&mut Driver)) {
        change(self.drivers.entry(id).or_default());
    }

    /// Moves a driver.
    pub(super) fn place(&mut self, id: UserId, position: Position) {
        let driver = self.drivers.entry(id).or_default();
        let (from, to) = (driver.position.map(|old| Cell::of(old.point)), Cell::of(position.point));
        driver.position = Some(position);
        if from != Some(to) {
            if let Some(from) = from {
                self.grid.remove(from, id);
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
        let measure = |id: UserId| {
            let driver = self.drivers.get(&id).filter(|driver| driver.is_eligible(now, rules) && !barred(id))?;
            Some(driver.position?.point.distance_km(pickup))
        };
        self.grid.nearest(pickup, rules.radius_km, measure).map(|(id, km)| (id, Some(km))).or_else(|| {
            let unplaced = self
                .drivers
                .iter()
                .filter(|(id, driver)| driver.position.is_none() && driver.is_eligible(now, rules) && !barred(**id));
            unplaced.map(|(id, _)| *id).min().map(|id| (id, None))
        })
    }

    /// Kilometres from an eligible driver to the pickup; the inner `None` where his position is not known.
    pub(super) fn reach(&self, id: UserId, pickup: Point, now: Timestamp, rules: FleetRules) -> Option<Option<f64>> {
        let driver = self.drivers.get(&id).filter(|driver| driver.is_eligible(now, rules))?;
        match driver.position {
            None => Some(None),
            Some(position) => {
                let km = position.point.distance_km(pickup);
                (km <= rules.radius_km).then_some(Some(km))
            }
        }
    }
}
