//! The delivery ledger: when a notification went to a socket, and when a device confirmed it.
//!
//! Nothing is stored for it before a message goes out. A connection remembers what it wrote until a pong proves the
//! arrival, or until it ends; then one write stores both moments. One ping at a time is on its way: while it is, more
//! messages gather, and the next pong proves all of them.

use std::{collections::VecDeque, sync::Arc};

use holodrive_protocol::{NotificationId, Timestamp};
use parking_lot::Mutex;

use super::{NotificationEvent, Notifications, store};
use crate::{
    fanout::Subscriber,
    gateway::{Close, Connection},
    storage::Tx,
};

/// Hands notifications to one connection, and remembers what no pong has proved yet.
pub(super) struct Deliveries {
    pub(super) connection: Arc<Connection>,
    pub(super) notifications: Arc<Notifications>,
    /// In the order of ids; while there are any, a receipt is asked for. A quiet connection has nothing but the pointer.
    #[expect(clippy::box_collection, reason = "hardly any connection has one at a time")]
    unproved: Mutex<Option<Box<VecDeque<Written>>>>,
}

/// A notification that was handed to a socket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    pub(super) id: NotificationId,
    pub(super) at: Timestamp,
}

impl Deliveries {
    pub(super) fn new(connection: Arc<Connection>, notifications: Arc<Notifications>) -> Self {
        Self { connection, notifications, unproved: Mutex::default() }
    }

    /// The connection was handed this notification; ids come in growing order.
    pub(super) fn written(&self, id: NotificationId) {
        if self.connection.is_closing() {
            return;
        }
        let mut unproved = self.unproved.lock();
        let unproved = unproved.get_or_insert_default();
        unproved.push_back(Written { id, at: self.notifications.storage().clock().now() });
        if unproved.len() == 1 {
            self.connection.ask_receipt(id);
        }
    }

    /// The device has proved that it has everything up to this notification.
    pub(super) async fn confirmed(&self, id: NotificationId) {
        let confirmed_at = self.notifications.storage().clock().now();
        let proved = self.take_proved(id);
        self.store(proved, Some(confirmed_at)).await;
    }

    /// The connection is gone: what is not proved now never will be.
    pub(super) async fn closed(&self) {
        let unproved = self.unproved.lock().take();
        self.store(unproved.map_or_else(Vec::new, |unproved| Vec::from(*unproved)), None).await;
    }

    fn take_proved(&self, id: NotificationId) -> Vec<Written> {
        let mut unproved = self.unproved.lock();
        let Some(waiting) = unproved.as_mut() else { return Vec::new() };
        let count = waiting.partition_point(|written| written.id <= id);
        let proved = waiting.drain(..count).collect();
        match waiting.back() {
            Some(last) => self.connection.ask_receipt(last.id),
            None => *unproved = None,
        }
        proved
    }

    async fn store(&self, deliveries: Vec<Written>, confirmed_at: Option<Timestamp>) {
        if deliveries.is_empty() {
            return;
        }
        let store = move |tx: &mut Tx<'_>| store::insert_deliveries(tx, &deliveries, confirmed_at);
        if let Err(error) = self.notifications.storage().write(store).await {
            tracing::warn!(%error, "deliveries of notifications could not be stored");
        }
    }
}

impl Subscriber<NotificationEvent> for Deliveries {
    fn deliver(&self, event: &NotificationEvent) {
        self.connection.send(event.frame.clone());
        if let Some(id) = event.id {
            self.written(id);
        }
    }

    fn lost(&self) {
        self.connection.close(Close::slow_consumer());
    }
}
