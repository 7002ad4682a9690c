//! `/ws/driver/orders/`.

use std::{collections::HashSet, sync::Arc, time::Duration};

use holodrive_protocol::{
    OfferId, UserId,
    driver::{DriverClientMessage, DriverServerMessage},
    socket::ErrorMessage,
};
use parking_lot::Mutex;
use tokio::time::sleep;

use super::{
    answers::Accepted,
    error::OrderError,
    events::{DriverEvent, DriverEventKind},
    record::point,
    service::Orders,
    snapshots::DriverSnapshot,
    store,
    texts::{self, AllInitialOrders},
};
use crate::{
    clock::SharedClock,
    fanout::{Subscriber, Subscription},
    gateway::{Close, Connection, ConnectionId, Endpoint, Frame, Opening, Session},
    hooks::OrderObject,
    shards::Shards,
};

/// When a device whose proof of a delivery could not be stored is asked for it again.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(250);

/// The open sockets of drivers.
type Connected = Arc<Shards<Arc<Connection>>>;

/// The sockets of drivers.
pub struct DriverOrdersEndpoint {
    orders: Arc<Orders>,
    connected: Connected,
}

impl DriverOrdersEndpoint {
    /// Serves these orders.
    pub fn new(orders: Arc<Orders>) -> Arc<Self> {
        Arc::new(Self { orders, connected: Arc::default() })
    }
}

impl Endpoint for DriverOrdersEndpoint {
    type Session = DriverSession;

    const NAME: &'static str = "driver_orders";

    async fn open(&self, connection: Arc<Connection>, _: Opening) -> Result<DriverSession, Close> {
        if !connection.user().in_group(&self.orders.config.driver_group) {
            return Err(not_a_driver());
        }
        let driver_id = connection.user_id();
        let first = self.orders.back_end_orders(driver_id).await?;
        let screen = Screen::new(Arc::clone(&connection), Arc::clone(self.orders.storage.clock()));
        let subscription = self.orders.driver_hub.subscribe(driver_id, screen);
        connection
            .send(Frame::json(&DriverServerMessage::ConnectionEstablished { message: texts::connected(), driver_id }));
        loop {
            let (snapshot, seq) = self.snapshot(driver_id).await?;
            let opened =
                subscription.open_after(|| subscription.subscriber().show(&self.orders, &first, &snapshot), seq);
            // Where more came meanwhile than is kept, the next snapshot holds what counts.
            if opened.is_ok() {
                break;
            }
        }
        self.connected.insert(Arc::clone(&connection));
        self.orders.board.update(|board| board.driver_connected(driver_id));
        let connected = Arc::clone(&self.connected);
        Ok(DriverSession { orders: Arc::clone(&self.orders), connection, _subscription: subscription, connected })
    }

    async fn recheck(&self) {
        for connection in self.connected.iter() {
            if !connection.user().in_group(&self.orders.config.driver_group) {
                connection.close(not_a_driver());
            }
        }
    }
}

impl DriverOrdersEndpoint {
    async fn snapshot(&self, driver_id: UserId) -> Result<(DriverSnapshot, i64), Close> {
        self.orders.driver_snapshot(driver_id).await.map_err(|error| {
            tracing::error!(%error, "a driver's orders cannot be read");
            Close::unavailable()
        })
    }
}

fn not_a_driver() -> Close {
    Close::forbidden("this is for drivers")
}

/// What one connection shows, so that each offer is shown once and its end told once.
struct Screen {
    connection: Arc<Connection>,
    clock: SharedClock,
    shown: Mutex<HashSet<OfferId>>,
}

impl Screen {
    fn new(connection: Arc<Connection>, clock: SharedClock) -> Self {
        Self { connection, clock, shown: Mutex::default() }
    }

    fn send(&self, message: &DriverServerMessage) {
        self.connection.send(Frame::json(message));
    }

    fn show(&self, orders: &Orders, first: &[OrderObject], snapshot: &DriverSnapshot) {
        let now = self.clock.now();
        let views = snapshot.offers.iter().map(|order| orders.view(order).with_remaining(now)).collect();
        self.connection.send(match first {
            [] => Frame::json(&texts::initial_orders(views)),
            first => Frame::json(&AllInitialOrders::new(first, views)),
        });
        let offers: HashSet<OfferId> = snapshot.live_offers().map(|offer| offer.id).collect();
        for offer in &offers {
            self.connection.ask_receipt(*offer);
        }
        *self.shown.lock() = offers;
        if let Some(trip) = &snapshot.trip {
            self.send(&DriverServerMessage::ActiveRideSnapshot { order: orders.view(trip) });
        }
    }

    fn is_here(&self, by: Option<ConnectionId>) -> bool {
        by == Some(self.connection.id())
    }
}

impl Subscriber<DriverEvent> for Screen {
    fn deliver(&self, event: &DriverEvent) {
        match &event.kind {
            DriverEventKind::Offered { offer_id, order } => {
                if self.shown.lock().insert(*offer_id) {
                    let message = texts::new_order((**order).clone().with_remaining(self.clock.now()));
                    self.connection.send_with_receipt(Frame::json(&message), *offer_id);
                }
            }
            DriverEventKind::Accepted { offer_id, order, by } => {
                if self.shown.lock().remove(offer_id) || self.is_here(*by) {
                    self.send(&texts::order_accepted((**order).clone()));
                }
            }
            DriverEventKind::Ended { offer_id, order_id, message, declined_by } => {
                let shown = self.shown.lock().remove(offer_id);
                if self.is_here(*declined_by) {
                    self.send(&texts::order_declined(*order_id));
                } else if shown {
                    self.send(message);
                }
            }
            DriverEventKind::TripCancelled { message } => self.send(message),
        }
    }

    fn lost(&self) {
        self.connection.close(Close::slow_consumer());
    }
}

/// One driver socket.
pub struct DriverSession {
    orders: Arc<Orders>,
    connection: Arc<Connection>,
    _subscription: Subscription<UserId, DriverEvent, Screen>,
    connected: Connected,
}

impl Session for DriverSession {
    type Message = DriverClientMessage;

    async fn message(&self, message: DriverClientMessage) -> Result<(), ErrorMessage> {
        let driver_id = self.connection.user_id();
        match message {
            DriverClientMessage::Location { latitude, longitude } => {
                self.orders.move_driver(driver_id, point(latitude, longitude));
                Ok(())
            }
            DriverClientMessage::AcceptOrder { order_id } => {
                self.accept(order_id).await.map_err(|error| error.into_message(order_id))
            }
            DriverClientMessage::DeclineOrder { order_id } => {
                self.decline(order_id).await.map_err(|error| error.into_message(order_id))
            }
            DriverClientMessage::AckOrder { order_id } => {
                self.acknowledge(order_id).await.map_err(|error| error.into_message(order_id))
            }
        }
    }

    async fn received(&self, offer_id: i64) {
        let (orders, driver_id) = (Arc::clone(&self.orders), self.connection.user_id());
        if let Err(error) = self.orders.storage.write(move |tx| orders.deliver(tx, offer_id, driver_id)).await {
            tracing::warn!(%error, offer_id, "a delivery could not be stored; the device is asked again");
            let connection = Arc::clone(&self.connection);
            tokio::spawn(async move {
                sleep(ASK_AGAIN_AFTER).await;
                connection.ask_receipt(offer_id);
            });
        }
    }

    async fn closed(&self) {
        self.connected.remove(self.connection.user_id(), |other| Arc::ptr_eq(other, &self.connection));
        let now = self.orders.storage.clock().now();
        self.orders.board.update(|board| board.driver_disconnected(self.connection.user_id(), now));
    }
}

impl DriverSession {
    /// A new acceptance is told by its event, like to the driver's other connections; a repeated one has none.
    async fn accept(&self, order_id: i64) -> Result<(), OrderError> {
        let (orders, user, by) = (Arc::clone(&self.orders), self.connection.user(), self.connection.id());
        let accepted = self.orders.storage.write(move |tx| orders.accept(tx, order_id, &user, Some(by))).await?;
        if let Accepted::Before(order) = accepted {
            self.connection.send(Frame::json(&texts::order_accepted(self.orders.view(&order))));
        }
        Ok(())
    }

    async fn decline(&self, order_id: i64) -> Result<(), OrderError> {
        let (orders, driver_id, by) = (Arc::clone(&self.orders), self.connection.user_id(), self.connection.id());
        self.orders.storage.write(move |tx| orders.decline(tx, order_id, driver_id, Some(by))).await.map(|_| ())
    }

    async fn acknowledge(&self, order_id: i64) -> Result<(), OrderError> {
        let (orders, driver_id) = (Arc::clone(&self.orders), self.connection.user_id());
        self.orders
            .storage
            .write(move |tx| {
                let offer = store::find(tx, order_id)?.and_then(|order| order.offer_to(driver_id));
                let offer = offer.filter(|offer| offer.driver_id == driver_id).ok_or(OrderError::NotFound)?;
                Ok(orders.deliver(tx, offer.id, driver_id)?)
            })
            .await
    }
}
