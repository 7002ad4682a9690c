//! `/ws/order/{order_id}/tracking/`.

use std::sync::Arc;

use holodrive_protocol::{
    OrderId, UserId,
    rider::{ListenOnly, TrackingServerMessage},
    socket::ErrorMessage,
};

use super::{positions::FollowedPosition, record::OrderRecord, service::Orders, store};
use crate::{
    accounts::User,
    fanout::{Subscriber, Subscription},
    gateway::{Close, Connection, Endpoint, Frame, Opening, Session},
    resume::FROM_NOW_ON,
};

/// Positions replace each other: only the newest of them may wait.
const POSITION: i64 = 0;

/// The sockets of those who follow an order's driver.
pub struct TrackingEndpoint {
    orders: Arc<Orders>,
}

impl TrackingEndpoint {
    /// Serves these orders.
    pub fn new(orders: Arc<Orders>) -> Arc<Self> {
        Arc::new(Self { orders })
    }

    /// The order, for those who may follow it: its rider, its driver, staff.
    async fn find(&self, user: &Arc<User>, order_id: OrderId) -> Result<OrderRecord, Close> {
        let order = self.orders.storage.read(move |tx| store::find(tx, order_id)).await?;
        order
            .filter(|order| user.is_staff || order.rider_id == user.id || order.driver_id == Some(user.id))
            .ok_or_else(|| Close::forbidden("there is no such order for you"))
    }
}

impl Endpoint for TrackingEndpoint {
    type Session = TrackingSession;

    const NAME: &'static str = "tracking";
    const KEEPS_USER: bool = false;

    async fn open(&self, connection: Arc<Connection>, opening: Opening) -> Result<TrackingSession, Close> {
        let (order_id, user) = (opening.object_id, connection.user());
        let order = self.find(&user, order_id).await?;
        let only = (!user.is_staff && order.rider_id != user.id).then_some(user.id);
        let listener = Listener { connection: Arc::clone(&connection), only };
        let subscription = self.orders.positions.hub.subscribe(order_id, listener);
        let message = "Connected to order tracking".to_owned();
        connection.send(Frame::json(&TrackingServerMessage::ConnectionEstablished { message, order_id }));
        // Positions replace each other, so it does not matter whether some were not kept.
        while subscription.open(FROM_NOW_ON).is_err() {}
        let driver_id = order.driver_id.filter(|_| order.status.is_trip());
        if let Some((driver_id, position)) =
            driver_id.and_then(|id| Some((id, self.orders.board.look(|board| board.position(id))?)))
        {
            subscription.subscriber().deliver(&self.orders.positions.followed(driver_id, order_id, position));
        }
        Ok(TrackingSession { _subscription: subscription })
    }
}

struct Listener {
    connection: Arc<Connection>,
    /// Whose positions alone it hears: a driver who gave the order back must not follow the next one.
    only: Option<UserId>,
}

impl Subscriber<FollowedPosition> for Listener {
    fn deliver(&self, event: &FollowedPosition) {
        if self.only.is_none_or(|only| only == event.driver_id) {
            let message = TrackingServerMessage::DriverLocationUpdate(event.location);
            self.connection.send_transient(POSITION, Frame::json(&message));
        }
    }

    fn lost(&self) {
        self.connection.close(Close::slow_consumer());
    }
}

/// One follower's socket.
pub struct TrackingSession {
    _subscription: Subscription<OrderId, FollowedPosition, Listener>,
}

impl Session for TrackingSession {
    type Message = ListenOnly;

    async fn message(&self, message: ListenOnly) -> Result<(), ErrorMessage> {
        match message {}
    }
}
