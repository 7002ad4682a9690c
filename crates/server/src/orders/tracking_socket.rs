//! `/ws/order/{order_id}/tracking/`.

use std::sync::Arc;

use holodrive_protocol::{
    OrderId,
    rider::{DriverLocation, ListenOnly, TrackingServerMessage},
    socket::ErrorMessage,
};

use super::{positions::location, service::Orders, store};
use crate::{
    fanout::{Sequenced, Subscriber, Subscription},
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

    /// The order's driver, for those who may follow it: its rider, its driver, staff.
    async fn check(
        &self,
        connection: &Connection,
        order_id: OrderId,
    ) -> Result<Option<holodrive_protocol::UserId>, Close> {
        let user = connection.user();
        let order = self.orders.storage.read(move |tx| store::find(tx, order_id)).await.map_err(|error| {
            tracing::error!(%error, "an order cannot be read");
            Close::unavailable()
        })?;
        let allowed =
            order.filter(|order| user.is_staff || order.rider_id == user.id || order.driver_id == Some(user.id));
        let order = allowed.ok_or_else(|| Close::forbidden("there is no such order for you"))?;
        Ok(order.driver_id.filter(|_| order.status.is_trip()))
    }
}

impl Endpoint for TrackingEndpoint {
    type Session = TrackingSession;

    const NAME: &'static str = "tracking";

    async fn open(&self, connection: Arc<Connection>, opening: Opening) -> Result<TrackingSession, Close> {
        let order_id = opening.object_id;
        let listener: Arc<dyn Subscriber<DriverLocation>> = Arc::new(Listener(Arc::clone(&connection)));
        let subscription = self.orders.positions.hub.subscribe(order_id, listener);
        let driver_id = self.check(&connection, order_id).await?;
        let message = "Connected to order tracking".to_owned();
        connection.send(Frame::json(&TrackingServerMessage::ConnectionEstablished { message, order_id }));
        // Positions replace each other, so it does not matter whether some were not kept.
        while subscription.open(FROM_NOW_ON).is_err() {}
        if let Some(position) = driver_id.and_then(|driver_id| self.orders.board.lock().position(driver_id)) {
            Listener(connection).deliver(&location(order_id, position));
        }
        Ok(TrackingSession { _subscription: subscription })
    }
}

struct Listener(Arc<Connection>);

impl Subscriber<DriverLocation> for Listener {
    fn deliver(&self, location: &DriverLocation) {
        self.0.send_transient(POSITION, Frame::json(&TrackingServerMessage::DriverLocationUpdate(*location)));
    }
}

impl Sequenced for DriverLocation {
    fn position(&self) -> Option<i64> {
        None
    }
}

/// One follower's socket.
pub struct TrackingSession {
    _subscription: Subscription<OrderId, DriverLocation>,
}

impl Session for TrackingSession {
    type Message = ListenOnly;

    async fn message(&self, message: ListenOnly) -> Result<(), ErrorMessage> {
        match message {}
    }
}
