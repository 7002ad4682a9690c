//! Positions on their way to the riders who follow them, and to the database.

use std::{collections::HashMap, sync::Arc, time::Duration};

use holodrive_protocol::{OrderId, Timestamp, UserId, rider::DriverLocation};
use parking_lot::Mutex;
use tokio::time::sleep;

use super::{arrivals::Arrivals, driver_store, elsewhere::FleetFact, live_board::LiveBoard, service::Orders};
use crate::{
    clock::SharedClock,
    dispatch::{Point, Position},
    fanout::{Hub, Sequenced},
    storage::StorageError,
};

/// How often positions that came through sockets are stored. Until then they live in memory alone.
const SAVE_INTERVAL: Duration = Duration::from_secs(5);
/// Positions stored in one go, and in one statement: nothing else is written meanwhile.
const SAVED_AT_ONCE: usize = 256;
/// A rider is told his driver's position at most so often.
const TRACKING_INTERVAL: Duration = Duration::from_secs(1);

/// The position of a driver on a trip, for later.
type HeldBack = HashMap<UserId, (OrderId, Position)>;

/// What is known of positions that not everybody has seen.
pub(super) struct Positions {
    /// Those who follow an order.
    pub(super) hub: Arc<Hub<OrderId, FollowedPosition>>,
    /// Of which trip a driver's followers were last told, and when.
    told: Mutex<HashMap<UserId, (OrderId, Timestamp)>>,
    /// The newest position of those drivers whose followers were told too lately to be told again.
    held_back: Mutex<HeldBack>,
    unsaved: Mutex<HashMap<UserId, Position>>,
    arrivals: Arc<Arrivals>,
    board: Arc<LiveBoard>,
    clock: SharedClock,
}

impl Positions {
    pub(super) fn new(arrivals: Arc<Arrivals>, board: Arc<LiveBoard>, clock: SharedClock) -> Self {
        Self {
            hub: Hub::new(),
            told: Mutex::default(),
            held_back: Mutex::default(),
            unsaved: Mutex::default(),
            arrivals,
            board,
            clock,
        }
    }

    /// A position by way of the database, from any node: counts, and is told to followers here, where nothing newer is known.
    pub(super) fn hear(&self, driver_id: UserId, position: Position) {
        if let Some(order_id) = self.board.driver_told(driver_id, position, self.clock.now()) {
            self.tell_followers(driver_id, order_id, position);
        }
    }

    /// Tells an order's followers where its driver is, now or as soon as they may be told again.
    pub(super) fn tell_followers(&self, driver_id: UserId, order_id: OrderId, position: Position) {
        if !self.hub.has_subscribers(&order_id) {
            return;
        }
        self.tell_or_hold_back(&mut self.held_back.lock(), driver_id, order_id, position);
    }

    /// Whose followers are still to be told something.
    fn held_back(&self) -> Vec<UserId> {
        self.held_back.lock().keys().copied().collect()
    }

    /// Tells what was held back, unless something newer was told meanwhile, or the driver has another trip by now. As far as
    /// is known he is still there.
    pub(super) fn tell_held_back(&self, driver_id: UserId, trip: Option<OrderId>) {
        let mut held_back = self.held_back.lock();
        let Some((order_id, position)) = held_back.remove(&driver_id) else { return };
        if trip != Some(order_id) || !self.hub.has_subscribers(&order_id) {
            return;
        }
        let position = Position { at: self.clock.now(), ..position };
        self.tell_or_hold_back(&mut held_back, driver_id, order_id, position);
    }

    fn tell_or_hold_back(&self, held_back: &mut HeldBack, driver_id: UserId, order_id: OrderId, position: Position) {
        if self.is_due(driver_id, order_id, position.at) {
            held_back.remove(&driver_id);
            self.hub.publish(&order_id, self.followed(driver_id, order_id, position));
        } else {
            held_back.insert(driver_id, (order_id, position));
        }
    }

    /// A position, and when the driver arrives.
    pub(super) fn followed(&self, driver_id: UserId, order_id: OrderId, position: Position) -> FollowedPosition {
        let Position { point, at } = position;
        let eta_seconds = self.arrivals.seconds_of_trip(order_id, driver_id, point);
        let Point { latitude, longitude } = point;
        FollowedPosition { driver_id, location: DriverLocation { order_id, latitude, longitude, at, eta_seconds } }
    }

    /// Keeps a position to be stored with others.
    pub(super) fn save_later(&self, driver_id: UserId, position: Position) {
        self.unsaved.lock().insert(driver_id, position);
    }

    /// A newer position is stored already.
    pub(super) fn is_saved(&self, driver_id: UserId) {
        self.unsaved.lock().remove(&driver_id);
    }

    fn is_due(&self, driver_id: UserId, order_id: OrderId, now: Timestamp) -> bool {
        let mut told = self.told.lock();
        let last = told.get(&driver_id).filter(|(order, _)| *order == order_id);
        // A clock that was set back makes the last time lie in the future: that must not silence anybody. Who has read the
        // clock a moment earlier than another thread is no such case.
        let due = last.is_none_or(|(_, at)| now.since(*at).max(at.since(now)) >= TRACKING_INTERVAL);
        if due {
            told.insert(driver_id, (order_id, now));
        }
        due
    }
}

/// What the followers of an order hear.
#[derive(Clone, Copy, Debug)]
pub(super) struct FollowedPosition {
    /// Whose position it is.
    pub(super) driver_id: UserId,
    pub(super) location: DriverLocation,
}

impl Sequenced for FollowedPosition {
    fn position(&self) -> Option<i64> {
        None
    }

    fn is_transient(&self) -> bool {
        true
    }
}

impl Orders {
    /// Tells what was held back, for as long as the server runs: who stops is seen where he stopped.
    pub async fn tell_positions_for_ever(self: Arc<Self>) {
        loop {
            sleep(TRACKING_INTERVAL).await;
            for driver_id in self.positions.held_back() {
                let trip = self.board.look(|board| board.trip(driver_id));
                self.positions.tell_held_back(driver_id, trip);
            }
        }
    }

    /// Stores positions for as long as the server runs.
    pub async fn save_positions_for_ever(self: Arc<Self>) {
        loop {
            sleep(SAVE_INTERVAL).await;
            self.save_positions().await;
        }
    }

    /// Stores the positions that are not stored yet, and tells other nodes of them. Those that cannot be stored wait for the
    /// next time.
    pub async fn save_positions(self: &Arc<Self>) {
        let mut unsaved: Vec<_> = std::mem::take(&mut *self.positions.unsaved.lock()).into_iter().collect();
        // Neighbours lie on the same pages: of 10,000 in no order, each commit would write nearly all pages again.
        unsaved.sort_unstable_by_key(|(driver_id, _)| *driver_id);
        for some in unsaved.chunks(SAVED_AT_ONCE) {
            let (orders, moved) = (Arc::clone(self), some.to_vec());
            let saved = self.storage.write(move |tx| {
                driver_store::set_driver_positions(tx, &moved)?;
                if !tx.is_alone() {
                    tx.publish(&orders.topics.fleet, FleetFact::Moved(moved));
                }
                Ok(())
            });
            if let Err::<(), StorageError>(error) = saved.await {
                tracing::warn!(%error, "positions could not be stored; they will be with the next ones");
                self.save_again(some);
            }
        }
    }

    /// Keeps those positions that are still the newest ones of their drivers.
    fn save_again(&self, positions: &[(UserId, Position)]) {
        self.board.look(|board| {
            let mut unsaved = self.positions.unsaved.lock();
            for (driver_id, position) in positions {
                if board.position(*driver_id) == Some(*position) {
                    unsaved.entry(*driver_id).or_insert(*position);
                }
            }
        });
    }
}
