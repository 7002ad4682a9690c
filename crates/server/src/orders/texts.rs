//! The words that people read.

use holodrive_protocol::{Order, OrderId, driver::DriverServerMessage, order::order_code};
use serde::Serialize;

use super::record::OrderRecord;
use crate::{hooks::OrderObject, notifications::NewNotification};

pub(super) fn connected() -> String {
    "Connected to driver orders".to_owned()
}

const INITIAL_ORDERS: &str = "Current pending orders";

pub(super) fn initial_orders(orders: Vec<Order>) -> DriverServerMessage {
    DriverServerMessage::InitialOrders { orders, message: INITIAL_ORDERS.to_owned() }
}

/// `initial_orders` with orders of the back end before ours; these are passed on as they came.
#[derive(Serialize)]
#[serde(tag = "type", rename = "initial_orders")]
pub(super) struct AllInitialOrders<'o> {
    orders: Vec<AnyOrder<'o>>,
    message: &'static str,
}

#[derive(Serialize)]
#[serde(untagged)]
enum AnyOrder<'o> {
    BackEnd(&'o OrderObject),
    Ours(Box<Order>),
}

impl<'o> AllInitialOrders<'o> {
    pub(super) fn new(first: &'o [OrderObject], ours: Vec<Order>) -> Self {
        let ours = ours.into_iter().map(|order| AnyOrder::Ours(Box::new(order)));
        Self { orders: first.iter().map(AnyOrder::BackEnd).chain(ours).collect(), message: INITIAL_ORDERS }
    }
}

pub(super) fn new_order(order: Order) -> DriverServerMessage {
    DriverServerMessage::NewOrder { order, message: "New ride request available".to_owned() }
}

pub(super) fn order_timeout(order_id: OrderId) -> DriverServerMessage {
    let message = "Order expired or reassigned to another driver".to_owned();
    DriverServerMessage::OrderTimeout { order_id, message }
}

pub(super) fn order_accepted(order: Order) -> DriverServerMessage {
    DriverServerMessage::OrderAccepted { order, message: "Order accepted".to_owned() }
}

pub(super) fn order_declined(order_id: OrderId) -> DriverServerMessage {
    DriverServerMessage::OrderDeclined { order_id, message: "Order declined".to_owned() }
}

pub(super) fn cancelled_by_rider(order_id: OrderId) -> DriverServerMessage {
    let message = "The rider cancelled the order".to_owned();
    DriverServerMessage::OrderCancelledByRider { order_id, message }
}

pub(super) fn cancelled_by_staff(order_id: OrderId) -> DriverServerMessage {
    DriverServerMessage::OrderCancelled { order_id, message: "The order was cancelled".to_owned() }
}

/// An app that knows nothing of this clears its trip, as after any other end by staff.
pub(super) fn taken_away(order_id: OrderId) -> DriverServerMessage {
    DriverServerMessage::OrderCancelled { order_id, message: "The order was given to somebody else".to_owned() }
}

/// Like [`taken_away`], for the rider is at his destination.
pub(super) fn completed_by_staff(order_id: OrderId) -> DriverServerMessage {
    DriverServerMessage::OrderCancelled { order_id, message: "Support ended the trip".to_owned() }
}

/// What a rider is notified of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RiderNotice {
    Accepted,
    Arrived,
    Started,
    Completed,
    Cancelled,
    NoDriver,
    SearchingAgain,
}

impl RiderNotice {
    const fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Accepted => ("order_accepted", "Driver found", "A driver is on the way to you."),
            Self::Arrived => ("order_arrived", "Your driver is here", "The driver is waiting at the pickup."),
            Self::Started => ("order_started", "Trip started", "Have a good trip."),
            Self::Completed => ("order_completed", "Trip completed", "You have arrived. Thank you for riding with us."),
            Self::Cancelled => ("order_cancelled", "Order cancelled", "The order was cancelled."),
            Self::NoDriver => {
                ("order_no_driver", "No driver found", "No driver is free at the moment. Please try again.")
            }
            Self::SearchingAgain => (
                "order_searching",
                "Looking for another driver",
                "The driver had to give up your order. We are looking for another one.",
            ),
        }
    }

    pub(super) fn of(self, order: &OrderRecord) -> NewNotification {
        let (kind, title, text) = self.words();
        NewNotification {
            title: title.to_owned(),
            message: format!("{}: {text}", order_code(order.id)),
            notification_type: kind.to_owned(),
            related_object_type: Some("order".to_owned()),
            related_object_id: Some(order.id),
            data: serde_json::json!({"order_id": order.id, "status": order.status, "driver_id": order.driver_id}),
        }
    }
}
