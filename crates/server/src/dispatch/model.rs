//! The words in which the board is spoken to.

use std::time::Duration;

use holodrive_protocol::{
    OrderId, Timestamp, UserId,
    order::{Considered, Obstacle},
};
use serde::{Deserialize, Serialize};

use super::{geo::Point, strategy};

/// A moment that never comes, for a driver who is not asked again: the last one that has a text, by which it reaches other
/// nodes.
pub const NEVER: Timestamp = Timestamp::from_micros(253_402_207_200_999_999);

/// How the board decides.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Whether orders are offered without staff.
    pub automatic: bool,
    /// How orders and drivers are brought together.
    pub strategy: StrategyKind,
    /// How far a driver may be from the pickup.
    pub radius: Radius,
    /// Of several waiting orders a driver gets the one with the fewest kilometres to the pickup, less so many for each minute
    /// that it has waited: so that nobody far away waits for ever. A very large one means that the oldest order comes first.
    pub age_weight_km: f64,
    /// After how long without a sign of life a driver gets no offers.
    pub stale_after: Duration,
    /// Live offers that one driver may hold.
    pub offers_per_driver: u32,
}

/// How orders and drivers are brought together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StrategyKind {
    /// An order is offered to one driver after another, as soon as there is one.
    Sequential,
    /// An order is offered to so many drivers at once; the first who accepts has it.
    Broadcast(u32),
    /// What came up within this time is matched together, so that all pickups taken together are as short as can be.
    Batch(Duration),
}

impl StrategyKind {
    /// Live offers that an order may have at once.
    pub fn offers_per_order(self) -> usize {
        strategy::of(self).offers_per_order()
    }
}

/// How far a driver may be from the pickup: while orders are more than drivers, a new order asks only those nearby, since
/// one of them may be free in a moment, and a long way to the pickup is time that the driver has for nobody.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Radius {
    /// At the beginning of a search, where drivers are scarce.
    pub start_km: f64,
    /// What is added with each minute of the search.
    pub growth_km_per_minute: f64,
    /// At any time, and at once where drivers abound.
    pub limit_km: f64,
}

impl Radius {
    /// The same at any time.
    pub const fn fixed(km: f64) -> Self {
        Self { start_km: km, growth_km_per_minute: 0.0, limit_km: km }
    }

    /// How far a driver may be after so long a search.
    pub(super) fn at(self, age: Duration) -> f64 {
        (self.start_km + self.growth_km_per_minute * minutes(age)).min(self.limit_km)
    }

    /// How long a search takes to reach so far; `None` where it never does.
    pub(super) fn reaches_after(self, km: f64) -> Option<Duration> {
        if km <= self.start_km.min(self.limit_km) {
            return Some(Duration::ZERO);
        }
        let minutes = (km - self.start_km) / self.growth_km_per_minute;
        // Rounded up, so that the search does reach so far by then.
        let time = Duration::try_from_secs_f64(minutes * 60.0).ok()?.checked_add(Duration::from_micros(1))?;
        (km <= self.limit_km).then_some(time)
    }
}

/// A time in minutes.
pub(super) fn minutes(time: Duration) -> f64 {
    time.as_secs_f64() / 60.0
}

/// An order that wants a driver, or one more.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Waiting {
    /// Which.
    pub order_id: OrderId,
    /// Where the rider waits.
    pub pickup: Point,
    /// Since when: when the order was made, or when the search for a scheduled one begins. Nobody is asked before.
    pub search_from: Timestamp,
    /// When the search ends.
    pub search_until: Timestamp,
    /// What a driver must have.
    #[serde(default)]
    pub needs: Needs,
    /// Who may not be offered it, and until when; of several entries for one driver the latest moment counts.
    pub barred: Vec<(UserId, Timestamp)>,
    /// Who has a live offer of it.
    #[serde(default)]
    pub offered: Vec<UserId>,
}

/// What an order asks of a driver's vehicle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    /// A class such as `comfort`; `None`: any.
    pub vehicle_class: Option<String>,
    /// Seats for passengers; `None`: any number.
    pub seats: Option<u32>,
}

/// What a driver drives.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vehicle {
    /// The classes that it serves.
    pub classes: Vec<String>,
    /// Seats for passengers.
    pub seats: u32,
}

impl Needs {
    /// Why a vehicle will not do; one of which nothing is known does for those who ask nothing.
    pub fn unmet_by(&self, vehicle: Option<&Vehicle>) -> Option<Obstacle> {
        let has_class = |class: &String| vehicle.is_some_and(|vehicle| vehicle.classes.contains(class));
        let has_seats = |seats: u32| vehicle.is_some_and(|vehicle| vehicle.seats >= seats);
        if self.vehicle_class.as_ref().is_none_or(has_class) {
            (!self.seats.is_none_or(has_seats)).then_some(Obstacle::TooFewSeats)
        } else {
            Some(Obstacle::WrongClass)
        }
    }
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
#[derive(Clone, Debug, PartialEq)]
pub struct Match {
    /// Of which order.
    pub order_id: OrderId,
    /// To whom.
    pub driver_id: UserId,
    /// How far he is from the pickup, where that is known.
    pub distance_km: Option<f64>,
    /// Who came into question, the nearest first, up to him.
    pub considered: Vec<Considered>,
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
