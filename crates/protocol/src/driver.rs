//! `/ws/driver/orders/`: orders to drivers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Latitude, Longitude, Order, OrderId, UserId, socket::ClientMessage};

/// Messages of the server on `/ws/driver/orders/`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum DriverServerMessage {
    /// Always the first message.
    ConnectionEstablished {
        /// `Connected to driver orders`.
        message: String,
        /// The driver's user key.
        driver_id: UserId,
    },
    /// Right after it: the driver's live offers.
    InitialOrders {
        /// The offered orders.
        orders: Vec<Order>,
        /// `Current pending orders`.
        message: String,
    },
    /// After `initial_orders`, when the driver is on a trip.
    ActiveRideSnapshot {
        /// The order he drives.
        order: Order,
    },
    /// An order is offered to the driver.
    NewOrder {
        /// The order.
        order: Order,
        /// `New ride request available`.
        message: String,
    },
    /// The offer ended: its time ran out, it was withdrawn, reassigned, or declined on another connection.
    OrderTimeout {
        /// Which order.
        order_id: OrderId,
        /// `Order expired or reassigned to another driver`.
        message: String,
    },
    /// The driver has the order.
    OrderAccepted {
        /// The order.
        order: Order,
        /// `Order accepted`.
        message: String,
    },
    /// The decline of this connection counts.
    OrderDeclined {
        /// Which order.
        order_id: OrderId,
        /// `Order declined`.
        message: String,
    },
    /// The rider cancelled an order that was offered to the driver or that he drives.
    OrderCancelledByRider {
        /// Which order.
        order_id: OrderId,
        /// For the driver.
        message: String,
    },
    /// Staff cancelled an order that was offered to the driver or that he drives.
    OrderCancelled {
        /// Which order.
        order_id: OrderId,
        /// For the driver.
        message: String,
    },
}

/// Messages of the client on `/ws/driver/orders/`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum DriverClientMessage {
    /// Where the driver is.
    Location {
        /// Degrees north.
        latitude: Latitude,
        /// Degrees east.
        longitude: Longitude,
    },
    /// Takes an offered order; answered by `order_accepted` or `error` `offer_expired`.
    AcceptOrder {
        /// Which order.
        order_id: OrderId,
    },
    /// Refuses an offered order; answered by `order_declined` or `error` `offer_expired`.
    DeclineOrder {
        /// Which order.
        order_id: OrderId,
    },
    /// The device has shown the offer.
    AckOrder {
        /// Which order.
        order_id: OrderId,
    },
}

impl ClientMessage for DriverClientMessage {
    const TYPES: &'static [&'static str] = &["location", "accept_order", "decline_order", "ack_order"];
}
