//! Drivers: whether they take orders, where they are, and what they see when they come.

use std::{collections::HashMap, sync::Arc, time::Duration};

use holodrive_protocol::{OrderId, Timestamp, UserId, http::DriverStatus, rider::DriverLocation};
use parking_lot::Mutex;

use super::{
    error::OrderError,
    record::OrderRecord,
    service::{Orders, later},
    store,
};
use crate::{
    dispatch::{Point, Position},
    fanout::Hub,
    storage::{StorageError, Tx},
};

/// How often positions that came through sockets are stored. Until then they live in memory alone.
const SAVE_INTERVAL: Duration = Duration::from_secs(5);
/// Positions stored in one go: nothing else is written meanwhile.
const SAVED_AT_ONCE: usize = 250;
/// A rider is told his driver's position at most so often.
const TRACKING_INTERVAL: Duration = Duration::from_secs(1);

/// Positions on their way to riders and to the database.
pub(super) struct Positions {
    /// Those who follow an order.
    pub(super) hub: Arc<Hub<OrderId, DriverLocation>>,
    /// Of which trip a driver's followers were last told, and when.
    told: Mutex<HashMap<UserId, (OrderId, Timestamp)>>,
    unsaved: Mutex<HashMap<UserId, Position>>,
}

impl Default for Positions {
    fn default() -> Self {
        Self { hub: Hub::new(), told: Mutex::default(), unsaved: Mutex::default() }
    }
}

impl Positions {
    fn tell_followers(&self, driver_id: UserId, order_id: OrderId, position: Position) {
        if self.hub.has_subscribers(&order_id) && self.is_due(driver_id, order_id, position.at) {
            self.hub.publish(&order_id, location(order_id, position));
        }
    }

    fn is_due(&self, driver_id: UserId, order_id: OrderId, now: Timestamp) -> bool {
        let mut told = self.told.lock();
        let last = told.get(&driver_id).filter(|(order, _)| *order == order_id);
        // A clock that was set back makes the last time lie in the future: that must not silence anybody.
        let due = last.is_none_or(|(_, at)| now < *at || later(*at, TRACKING_INTERVAL) <= now);
        if due {
            told.insert(driver_id, (order_id, now));
        }
        due
    }
}

/// A driver's position as the followers of an order see it.
pub(super) fn location(order_id: OrderId, position: Position) -> DriverLocation {
    let Point { latitude, longitude } = position.point;
    DriverLocation { order_id, latitude, longitude, at: position.at }
}

/// What a driver has in hand.
pub(super) struct DriverSnapshot {
    /// Offered to him, oldest first.
    pub(super) offers: Vec<OrderRecord>,
    /// What he drives.
    pub(super) trip: Option<OrderRecord>,
    /// The newest entry of the history that the snapshot holds.
    pub(super) seq: i64,
}

impl Orders {
    /// What a driver has in hand, after what has run out was ended.
    pub(super) fn driver_snapshot(
        self: &Arc<Self>,
        tx: &mut Tx<'_>,
        driver_id: UserId,
    ) -> Result<DriverSnapshot, OrderError> {
        self.sweep_driver(tx, driver_id)?;
        let offers = store::offered_to(tx, driver_id)?;
        let trip = store::trip_of(tx, driver_id)?;
        Ok(DriverSnapshot { offers, trip, seq: store::last_event(tx)? })
    }

    /// A driver asks for his orders: what he gets counts as delivered.
    pub(super) fn poll(self: &Arc<Self>, tx: &mut Tx<'_>, driver_id: UserId) -> Result<DriverSnapshot, OrderError> {
        let snapshot = self.driver_snapshot(tx, driver_id)?;
        for offer in snapshot.offers.iter().filter_map(|order| order.offer) {
            self.deliver(tx, offer.id, driver_id)?;
        }
        let now = tx.now();
        self.change_board(tx, move |board| board.driver_seen(driver_id, now));
        Ok(snapshot)
    }

    /// A driver says whether he takes orders.
    pub(super) fn set_status(
        self: &Arc<Self>,
        tx: &mut Tx<'_>,
        driver_id: UserId,
        status: DriverStatus,
    ) -> Result<(), StorageError> {
        store::set_driver_status(tx, driver_id, status_text(status))?;
        let now = tx.now();
        self.change_board(tx, move |board| board.driver_status(driver_id, Some(status), Some(now)));
        Ok(())
    }

    /// A driver says where he is, and is answered once that is on disk.
    pub(super) fn set_location(
        self: &Arc<Self>,
        tx: &mut Tx<'_>,
        driver_id: UserId,
        point: Point,
    ) -> Result<(), StorageError> {
        let position = Position { point, at: tx.now() };
        store::set_driver_position(tx, driver_id, position)?;
        let orders = Arc::clone(self);
        tx.after_commit(move || orders.driver_moved(driver_id, position));
        Ok(())
    }

    /// A driver says where he is, and expects no answer: stored with others a little later.
    pub(super) fn move_driver(&self, driver_id: UserId, point: Point) {
        let position = Position { point, at: self.storage.clock().now() };
        self.positions.unsaved.lock().insert(driver_id, position);
        self.driver_moved(driver_id, position);
    }

    fn driver_moved(&self, driver_id: UserId, position: Position) {
        self.metrics.position_received();
        let trip = self.with_board(|board| {
            board.driver_moved(driver_id, position);
            board.trip(driver_id)
        });
        if let Some(order_id) = trip {
            self.positions.tell_followers(driver_id, order_id, position);
        }
    }

    /// Stores positions for as long as the server runs.
    pub async fn save_positions_for_ever(self: Arc<Self>) {
        loop {
            tokio::time::sleep(SAVE_INTERVAL).await;
            self.save_positions().await;
        }
    }

    /// Stores the positions that are not stored yet.
    pub async fn save_positions(&self) {
        let unsaved: Vec<_> = std::mem::take(&mut *self.positions.unsaved.lock()).into_iter().collect();
        for some in unsaved.chunks(SAVED_AT_ONCE).map(<[_]>::to_vec) {
            let saved = self.storage.write(move |tx| {
                some.into_iter().try_for_each(|(driver_id, at)| store::set_driver_position(tx, driver_id, at))
            });
            if let Err::<(), StorageError>(error) = saved.await {
                tracing::warn!(%error, "positions could not be stored; the next ones will be");
            }
        }
    }

    /// Puts a driver as he was before the restart on the dispatcher's board.
    pub(super) fn restore_driver(&self, driver: &store::StoredDriver) {
        let status = match driver.status.as_deref() {
            Some("online") => Some(DriverStatus::Online),
            Some(_) => Some(DriverStatus::Offline),
            None => None,
        };
        self.with_board(|board| {
            if let Some((point, at)) = driver.position {
                board.driver_moved(driver.driver_id, Position { point, at });
            }
            board.driver_status(driver.driver_id, status, driver.seen_at);
        });
    }
}

const fn status_text(status: DriverStatus) -> &'static str {
    match status {
        DriverStatus::Online => "online",
        DriverStatus::Offline => "offline",
    }
}
