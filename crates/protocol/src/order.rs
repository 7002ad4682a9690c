//! Orders, as sockets and the HTTP API show them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ConversationId, Latitude, Longitude, OrderId, Timestamp, UserId};

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderStatus {
    /// Nobody is asked at the moment.
    Searching,
    /// Offered to a driver.
    Pending,
    /// A driver took it and is on his way.
    Accepted,
    /// The driver is at the pickup.
    Arrived,
    /// The rider is in the car.
    InProgress,
    /// The trip is over.
    Completed,
    /// The rider or staff ended it.
    Cancelled,
    /// Nobody took it in time.
    NoDriver,
}

impl OrderStatus {
    /// The word on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Searching => "searching",
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Arrived => "arrived",
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::NoDriver => "no_driver",
        }
    }

    /// Whether nothing can happen to the order any more.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Cancelled | Self::NoDriver)
    }

    /// Whether a driver has it.
    pub const fn is_trip(self) -> bool {
        matches!(self, Self::Accepted | Self::Arrived | Self::InProgress)
    }
}

/// The text is not the name of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownStatus;

impl std::str::FromStr for OrderStatus {
    type Err = UnknownStatus;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        use OrderStatus as S;
        [S::Searching, S::Pending, S::Accepted, S::Arrived, S::InProgress, S::Completed, S::Cancelled, S::NoDriver]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or(UnknownStatus)
    }
}

/// An order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Order {
    /// Its key.
    pub id: OrderId,
    /// `ORD-` and the key in six digits.
    pub order_code: String,
    /// Where it stands.
    pub status: OrderStatus,
    /// What was ordered; `pickup` unless the rider said otherwise.
    pub order_type: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the rider wants to be picked up; left out where that is as soon as may be. Drivers are asked
    /// `ORDER_SCHEDULE_LEAD` before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pickup_at: Option<Timestamp>,
    /// The class of vehicle that is asked for; left out where any will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vehicle_class: Option<String>,
    /// The seats for passengers that are asked for; left out where any number will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seats: Option<u32>,
    /// The pickup, in words.
    pub address_from: String,
    /// The destination, in words.
    pub address_to: String,
    /// The pickup.
    pub latitude_from: Latitude,
    /// The pickup.
    pub longitude_from: Longitude,
    /// The destination.
    pub latitude_to: Latitude,
    /// The destination.
    pub longitude_to: Longitude,
    /// Great-circle kilometres from the driver's last position to the pickup, rounded to 0.01; null where none is known.
    pub distance_to_pickup_km: Option<f64>,
    /// Seconds until that driver is at the pickup, and while the order is `in_progress` until he is at the destination; left
    /// out where nobody is on his way, or nobody knows where he is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta_seconds: Option<u64>,
    /// When the live offer ends; null without one.
    pub expires_at: Option<Timestamp>,
    /// Milliseconds until the offer ends, counted by the server's clock when it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining_ms: Option<u64>,
    /// Who ordered.
    pub rider_id: UserId,
    /// Who drives.
    pub driver_id: Option<UserId>,
    /// Where rider and driver talk.
    pub conversation_id: Option<ConversationId>,
    /// For the rider and for staff, where `ORDER_START_PIN` is on, from `accepted` until the trip starts: four digits that the
    /// driver has to be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
}

impl Order {
    /// The order with the time that its offer has left at `now`.
    #[must_use]
    pub fn with_remaining(self, now: Timestamp) -> Self {
        let left = |expires_at: Timestamp| expires_at.as_micros().saturating_sub(now.as_micros()).max(0);
        let remaining_ms = self.expires_at.map(|expires_at| left(expires_at).unsigned_abs() / 1_000);
        Self { remaining_ms, ..self }
    }
}

/// The public code of an order: `ORD-` and the id in six digits.
pub fn order_code(id: OrderId) -> String {
    format!("ORD-{id:06}")
}

/// One entry of an order's history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OrderEvent {
    /// When it happened.
    pub at: Timestamp,
    /// What happened, such as `created`, `offered`, `accepted` or `offer_expired`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Who did it; null for the system.
    pub actor_id: Option<UserId>,
    /// What belongs to the type.
    #[serde(flatten)]
    pub details: serde_json::Map<String, serde_json::Value>,
}

/// What keeps a driver from being offered an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Obstacle {
    /// He takes no orders.
    Offline,
    /// He drives an order.
    OnTrip,
    /// He has as many offers as he may hold.
    Busy,
    /// His last offer never reached his phone, and nothing was heard of it since.
    Unreachable,
    /// There was no sign of life for too long.
    Stale,
    /// He has an offer of this order.
    Offered,
    /// He was offered it a short time ago.
    Cooling,
    /// He had it and gave it back.
    GaveBack,
    /// His vehicle is of another class.
    WrongClass,
    /// His vehicle has too few seats.
    TooFewSeats,
    /// He is farther away than a driver may be.
    TooFar,
}

/// A driver who came into question for an order.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Considered {
    /// Who.
    pub driver_id: UserId,
    /// How far he is from the pickup, rounded to 0.01; null where that is not known.
    pub distance_km: Option<f64>,
    /// Why he is not asked; null: he can be.
    pub skipped: Option<Obstacle>,
}
