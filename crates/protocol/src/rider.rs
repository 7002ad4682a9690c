//! `/ws/rider/orders/` and `/ws/order/{order_id}/tracking/`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Latitude, Longitude, Order, OrderId, Timestamp, UserId, socket::ClientMessage};

/// Messages of the server on `/ws/rider/orders/`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RiderServerMessage {
    /// Always the first message.
    ConnectionEstablished {
        /// `Connected to rider orders`.
        message: String,
        /// The rider's user key.
        rider_id: UserId,
    },
    /// Right after it: the rider's open orders.
    InitialOrders {
        /// The orders that are not over.
        orders: Vec<Order>,
        /// `Current open orders`.
        message: String,
    },
    /// An order of the rider took a step.
    RiderOrderUpdated {
        /// The order after the step.
        order: Box<Order>,
    },
}

/// Messages of the server on `/ws/order/{order_id}/tracking/`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TrackingServerMessage {
    /// Always the first message.
    ConnectionEstablished {
        /// `Connected to order tracking`.
        message: String,
        /// Which order.
        order_id: OrderId,
    },
    /// Where the driver is: the last known position at once, then as he moves, at most once a second.
    DriverLocationUpdate(DriverLocation),
}

/// A position of an order's driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DriverLocation {
    /// Which order.
    pub order_id: OrderId,
    /// Degrees north.
    pub latitude: Latitude,
    /// Degrees east.
    pub longitude: Longitude,
    /// When the driver was there.
    pub at: Timestamp,
    /// Seconds until he is at the pickup, and while the order is `in_progress` until he is at the destination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta_seconds: Option<u64>,
}

/// Sockets that only listen accept no message of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ListenOnly {}

impl ClientMessage for ListenOnly {
    const TYPES: &'static [&'static str] = &[];
}
