use std::sync::Arc;

use holodrive_protocol::{
    OfferId, Order, OrderId, Timestamp, UserId, driver::DriverServerMessage, rider::RiderServerMessage,
};
use serde::{Deserialize, Serialize};

use super::{
    arrivals::Arrivals,
    elsewhere::{Elsewhere, FleetFact},
    live_board::LiveBoard,
    positions::Positions,
    texts,
};
use crate::{
    dispatch::Change,
    fanout::{Hub, Sequenced},
    gateway::{ConnectionId, Frame},
    storage::{Storage, Topic},
};

/// What orders tell every node.
pub(super) struct Topics {
    pub(super) board: Topic<Change>,
    pub(super) drivers: Topic<DriverFact>,
    pub(super) riders: Topic<RiderFact>,
    pub(super) fleet: Topic<FleetFact>,
}

impl Topics {
    pub(super) fn new(
        storage: &Storage,
        board: &Arc<LiveBoard>,
        positions: &Arc<Positions>,
        elsewhere: &Arc<Elsewhere>,
        drivers: &Arc<Hub<UserId, DriverEvent>>,
        riders: &Arc<Hub<UserId, RiderEvent>>,
        arrivals: &Arc<Arrivals>,
    ) -> Self {
        let (board, drivers, riders) = (Arc::clone(board), Arc::clone(drivers), Arc::clone(riders));
        let (arrivals, elsewhere) = (Arc::clone(arrivals), Arc::clone(elsewhere));
        let (positions, of_others) = (Arc::clone(positions), Arc::clone(positions));
        Self {
            board: storage.topic("board", move |change| match change {
                Change::DriverMoved(driver_id, position) => positions.hear(driver_id, position),
                change => board.apply(change),
            }),
            fleet: storage.topic("fleet", move |fact| match fact {
                FleetFact::Moved(moved) => {
                    for (driver_id, position) in moved {
                        of_others.hear(driver_id, position);
                    }
                }
                FleetFact::Connected { node, drivers } => elsewhere.hear(node, drivers),
            }),
            drivers: storage
                .topic("drivers", move |DriverFact { driver_id, event }| drivers.publish(&driver_id, event)),
            riders: storage.topic("riders", move |fact: RiderFact| {
                arrivals.take_in(&fact.order);
                fact.tell(&riders);
            }),
        }
    }
}

/// Something that a driver is to hear.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct DriverFact {
    pub(super) driver_id: UserId,
    pub(super) event: DriverEvent,
}

/// How a rider's order stands, after this entry of the history.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RiderFact {
    pub(super) rider_id: UserId,
    pub(super) seq: i64,
    pub(super) order: Order,
}

impl RiderFact {
    /// Tells the rider's connections of this node; encodes only where somebody listens.
    fn tell(self, hub: &Hub<UserId, RiderEvent>) {
        hub.publish_with(&self.rider_id, || RiderEvent {
            seq: self.seq,
            frame: Frame::json(&RiderServerMessage::RiderOrderUpdated { order: Box::new(self.order) }),
        });
    }
}

/// What the connections of a driver hear.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DriverEvent {
    /// The entry of the history that it comes from; a snapshot that holds this entry has the event in it.
    pub(super) seq: i64,
    pub(super) kind: DriverEventKind,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DriverEventKind {
    /// An order is offered to him.
    Offered { offer_id: OfferId, order: Box<Order> },
    /// He has the order. `by` is the connection that accepted.
    Accepted {
        offer_id: OfferId,
        order: Box<Order>,
        /// Means nothing to another node; the same holds for `declined_by`.
        #[serde(skip)]
        by: Option<ConnectionId>,
    },
    /// An offer ended without him. `declined_by` is the connection that declined.
    Ended {
        offer_id: OfferId,
        order_id: OrderId,
        message: DriverServerMessage,
        #[serde(skip)]
        declined_by: Option<ConnectionId>,
    },
    /// The order that he drives was cancelled.
    TripCancelled { message: DriverServerMessage },
}

impl DriverEventKind {
    /// What a screen that shows the order is told.
    pub(super) fn message(&self, now: Timestamp) -> DriverServerMessage {
        match self {
            Self::Offered { order, .. } => texts::new_order((**order).clone().with_remaining(now)),
            Self::Accepted { order, .. } => texts::order_accepted((**order).clone()),
            Self::Ended { message, .. } | Self::TripCancelled { message } => message.clone(),
        }
    }
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
