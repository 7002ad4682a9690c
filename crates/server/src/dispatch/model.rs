//! The words in which the board is spoken to.

use std::time::Duration;

use holodrive_protocol::{OrderId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use super::geo::Point;

/// A moment that never comes, for a driver who is not asked again.
pub const NEVER: Timestamp = Timestamp::from_micros(i64::MAX);

/// How the board decides.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Whether orders are offered without staff.
    pub automatic: bool,
    /// How far a driver may be from the pickup.
    pub radius_km: f64,
    /// After how long without a sign of life a driver gets no offers.
    pub stale_after: Duration,
    /// Live offers that one driver may hold.
    pub offers_per_driver: u32,
}

/// An order that searches.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Waiting {
    /// Which.
    pub order_id: OrderId,
    /// Where the rider waits.
    pub pickup: Point,
    /// When the search ends.
    pub search_until: Timestamp,
    /// Who may not be offered it, and until when; of several entries for one driver the latest moment counts.
    pub barred: Vec<(UserId, Timestamp)>,
}

/// An offer's people and times.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct OfferTimes {
    /// Of which order.
    pub order_id: OrderId,
    /// To whom.
    pub driver_id: UserId,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it is withdrawn unless it was delivered.
    pub unreachable_at: Option<Timestamp>,
}

impl OfferTimes {
    /// The first of its deadlines.
    pub(super) fn first(&self) -> Timestamp {
        self.unreachable_at.map_or(self.expires_at, |at| at.min(self.expires_at))
    }
}

/// An offer that the dispatcher wants made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match {
    /// Of which order.
    pub order_id: OrderId,
    /// To whom.
    pub driver_id: UserId,
    /// How far he is from the pickup, where that is known.
    pub distance_km: Option<f64>,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Offers to make.
    pub matches: Vec<Match>,
    /// Whether a deadline has passed.
    pub overdue: bool,
    /// When to look again at the latest.
    pub wake_at: Option<Timestamp>,
}
