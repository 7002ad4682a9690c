//! One driver, as far as dispatch needs to know him.

use std::time::Duration;

use holodrive_protocol::{OrderId, Timestamp, http::DriverStatus};
use serde::{Deserialize, Serialize};

use crate::dispatch::geo::Point;

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
}

/// When a driver comes into question.
#[derive(Clone, Copy, Debug)]
pub(in crate::dispatch) struct FleetRules {
    pub(in crate::dispatch) stale_after: Duration,
    pub(in crate::dispatch) offers_per_driver: u32,
    pub(in crate::dispatch) radius_km: f64,
}

impl Driver {
    /// Whether he may be offered an order by the dispatcher.
    pub(in crate::dispatch) fn is_eligible(&self, now: Timestamp, rules: FleetRules) -> bool {
        let online = match self.status {
            Some(status) => status == DriverStatus::Online,
            None => self.sockets > 0,
        };
        online
            && self.present_until(rules.stale_after) >= now
            && self.trip.is_none()
            && self.offers < rules.offers_per_driver
    }

    /// Until when he counts as there, if nothing more is heard of him within so long a time.
    pub(super) fn present_until(&self, silence: Duration) -> Timestamp {
        match self.seen_at {
            _ if self.sockets > 0 => Timestamp::from_micros(i64::MAX),
            Some(seen_at) => after(seen_at, silence),
            None => Timestamp::from_micros(i64::MIN),
        }
    }

    /// Whether nothing would be lost with him that cannot be learnt again when he comes back. His position can, his status
    /// cannot.
    pub(super) const fn is_forgettable(&self) -> bool {
        let Self { status, sockets, offers, trip, position: _, seen_at: _ } = self;
        status.is_none() && *sockets == 0 && *offers == 0 && trip.is_none()
    }
}

/// A moment after another.
pub(super) fn after(moment: Timestamp, by: Duration) -> Timestamp {
    let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(moment.as_micros().saturating_add(micros))
}
