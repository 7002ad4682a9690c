//! `/ws/rider/orders/`.

use std::sync::Arc;

use holodrive_protocol::{
    UserId,
    rider::{ListenOnly, RiderServerMessage},
    socket::ErrorMessage,
};

use super::{events::RiderEvent, record::OrderRecord, service::Orders, store};
use crate::{
    fanout::{Subscriber, Subscription},
    gateway::{Close, Connection, Endpoint, Frame, Opening, Session},
    storage::{StorageError, Tx},
};

/// The sockets of riders.
pub struct RiderOrdersEndpoint {
    orders: Arc<Orders>,
}

impl RiderOrdersEndpoint {
    /// Serves these orders.
    pub fn new(orders: Arc<Orders>) -> Arc<Self> {
        Arc::new(Self { orders })
    }

    /// The rider's open orders, and where in the history they were read.
    async fn snapshot(&self, rider_id: UserId) -> Result<(Vec<OrderRecord>, i64), Close> {
        let read =
            move |tx: &mut Tx<'_>| Ok::<_, StorageError>((store::open_of_rider(tx, rider_id)?, store::last_event(tx)?));
        Ok(self.orders.storage.read(read).await?)
    }

    fn initial_orders(&self, records: &[OrderRecord]) -> Frame {
        let orders = records.iter().map(|order| self.orders.rider_view(order)).collect();
        Frame::json(&RiderServerMessage::InitialOrders { orders, message: "Current open orders".to_owned() })
    }
}

impl Endpoint for RiderOrdersEndpoint {
    type Session = RiderSession;

    const NAME: &'static str = "rider_orders";
    const KEEPS_USER: bool = false;

    async fn open(&self, connection: Arc<Connection>, _: Opening) -> Result<RiderSession, Close> {
        let rider_id = connection.user_id();
        let subscription = self.orders.rider_hub.subscribe(rider_id, Listener(Arc::clone(&connection)));
        let message = "Connected to rider orders".to_owned();
        connection.send(Frame::json(&RiderServerMessage::ConnectionEstablished { message, rider_id }));
        loop {
            let (records, seq) = self.snapshot(rider_id).await?;
            let show = || connection.send(self.initial_orders(&records));
            if subscription.open_after(show, seq).is_ok() {
                return Ok(RiderSession { _subscription: subscription });
            }
        }
    }
}

struct Listener(Arc<Connection>);

impl Subscriber<RiderEvent> for Listener {
    fn deliver(&self, event: &RiderEvent) {
        self.0.send(event.frame.clone());
    }

    fn lost(&self) {
        self.0.close(Close::slow_consumer());
    }
}

/// One rider socket.
pub struct RiderSession {
    _subscription: Subscription<UserId, RiderEvent, Listener>,
}

impl Session for RiderSession {
    type Message = ListenOnly;

    async fn message(&self, message: ListenOnly) -> Result<(), ErrorMessage> {
        match message {}
    }
}
