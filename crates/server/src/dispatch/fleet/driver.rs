//! One driver, as far as dispatch needs to know him.

use std::time::Duration;

use holodrive_protocol::{OrderId, Timestamp, http::DriverStatus, order::Obstacle};
use serde::{Deserialize, Serialize};

use crate::dispatch::{
    geo::Point,
    model::{NEVER, Vehicle},
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
pub struct Driver {
    /// Where he said that he was last.
    pub position: Option<Position>,
    /// What he said himself; `None` if nothing.
    pub status: Option<DriverStatus>,
    /// Open driver sockets.
    pub sockets: u32,
    /// The last poll, position, or end of a socket.
    pub seen_at: Option<Timestamp>,
    /// Live offers, and offers that are being made.
    pub offers: u32,
    /// The order he drives.
    pub trip: Option<OrderId>,
    /// Whether his phone was sent an offer that never arrived, and has not been heard of since.
    pub unreachable: bool,
    /// What he drives, as far as anybody said.
    pub vehicle: Option<Box<Vehicle>>,
}

impl Driver {
    /// Whether he may be asked, provided that he was heard of lately enough.
    pub(in crate::dispatch) fn is_free(&self, offers_per_driver: u32) -> bool {
        self.lasting_obstacle(offers_per_driver).is_none()
    }

    /// What keeps the dispatcher from offering him anything; `None`: nothing.
    pub(in crate::dispatch) fn obstacle(&self, now: Timestamp, rules: FleetRules) -> Option<Obstacle> {
        let stale = || (!self.is_fresh(now, rules.stale_after)).then_some(Obstacle::Stale);
        self.lasting_obstacle(rules.offers_per_driver).or_else(stale)
    }

    /// What keeps the dispatcher from offering him anything until something about him changes.
    fn lasting_obstacle(&self, offers_per_driver: u32) -> Option<Obstacle> {
        if !self.is_online() {
            Some(Obstacle::Offline)
        } else if self.trip.is_some() {
            Some(Obstacle::OnTrip)
        } else if self.offers >= offers_per_driver {
            Some(Obstacle::Busy)
        } else {
            self.unreachable.then_some(Obstacle::Unreachable)
        }
    }

    /// There was a sign of life.
    pub(in crate::dispatch) fn heard_at(&mut self, now: Timestamp) {
        self.seen_at = Some(now);
        self.unreachable = false;
    }

    /// Until when he counts as there, if nothing more is heard of him within so long a time.
    pub(super) fn present_until(&self, silence: Duration) -> Timestamp {
        let always = self.sockets > 0;
        if always { NEVER } else { self.silent_since().after(silence) }
    }

    /// When he was last heard of, not counting that he has a socket.
    pub(super) fn silent_since(&self) -> Timestamp {
        self.seen_at.unwrap_or(Timestamp::from_micros(i64::MIN))
    }

    /// Whether nothing would be lost with him that is not told again when he comes back. A position is, a status is not.
    pub(super) const fn is_forgettable(&self) -> bool {
        let Self { status, sockets, offers, trip, vehicle, position: _, seen_at: _, unreachable: _ } = self;
        status.is_none() && *sockets == 0 && *offers == 0 && trip.is_none() && vehicle.is_none()
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
pub(in crate::dispatch) struct FleetRules {
    pub(in crate::dispatch) stale_after: Duration,
    pub(in crate::dispatch) offers_per_driver: u32,
}
