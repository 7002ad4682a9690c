use holodrive_protocol::{OfferId, Order, OrderId, driver::DriverServerMessage};

use crate::{
    fanout::Sequenced,
    gateway::{ConnectionId, Frame},
};

/// What the connections of a driver hear.
#[derive(Clone, Debug)]
pub struct DriverEvent {
    /// The entry of the history that it comes from; a snapshot that holds this entry has the event in it.
    pub(super) seq: i64,
    pub(super) kind: DriverEventKind,
}

#[derive(Clone, Debug)]
pub(super) enum DriverEventKind {
    /// An order is offered to him.
    Offered { offer_id: OfferId, order: Box<Order> },
    /// He has the order. `by` is the connection that accepted.
    Accepted { offer_id: OfferId, order: Box<Order>, by: Option<ConnectionId> },
    /// An offer ended without him. `declined_by` is the connection that declined.
    Ended { offer_id: OfferId, order_id: OrderId, message: DriverServerMessage, declined_by: Option<ConnectionId> },
    /// The order that he drives was cancelled.
    TripCancelled { message: DriverServerMessage },
}

/// What the connections of a rider hear, encoded once for all of them.
#[derive(Clone, Debug)]
pub struct RiderEvent {
    /// The entry of the history that it comes from.
    pub(super) seq: i64,
    pub(super) frame: Frame,
}

impl Sequenced for DriverEvent {
    fn position(&self) -> Option<i64> {
        Some(self.seq)
    }
}

impl Sequenced for RiderEvent {
    fn position(&self) -> Option<i64> {
        Some(self.seq)
    }
}
