//! Who waits for whom: the dispatcher's view of orders, offers and drivers.
//!
//! Pure state: changes in, a plan out (`planning`). It can be wrong for a moment (a crash, another process) without harm,
//! because the database has the last word on every transition.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use holodrive_protocol::{OfferId, OrderId, Timestamp, UserId, http::DriverStatus};

use super::{
    fleet::{Driver, Fleet, Position},
    grid::Grid,
    model::{Match, OfferTimes, Rules, Waiting},
    search::Search,
};

/// The dispatcher's view.
#[derive(Debug)]
pub struct Board {
    pub(super) rules: Rules,
    pub(super) fleet: Fleet,
    pub(super) waiting: BTreeMap<OrderId, Search>,
    /// Where the orders wait.
    pub(super) pickups: Grid<OrderId>,
    pub(super) offers: HashMap<OfferId, OfferTimes>,
    pub(super) deadlines: BTreeSet<(Timestamp, Deadline)>,
    /// Orders and drivers for whom something changed since the last plan.
    pub(super) changed_orders: BTreeSet<OrderId>,
    pub(super) changed_drivers: BTreeSet<UserId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Deadline {
    Offer(OfferId),
    Search(OrderId),
    /// A cool-down or a pause ends, so that the order can be offered again.
    Retry(OrderId),
}

impl Board {
    /// An empty view.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            fleet: Fleet::new(2 * rules.stale_after),
            waiting: BTreeMap::new(),
            pickups: Grid::default(),
            offers: HashMap::new(),
            deadlines: BTreeSet::new(),
            changed_orders: BTreeSet::new(),
            changed_drivers: BTreeSet::new(),
        }
    }

    /// Forgets all orders and offers, so that they can be put on the board anew; the drivers stay.
    pub fn forget_orders(&mut self) {
        self.fleet.forget_orders();
        self.waiting.clear();
        self.pickups = Grid::default();
        self.offers.clear();
        self.deadlines.clear();
        self.changed_orders.clear();
    }

    /// An order searches, from now on or again.
    pub fn search(&mut self, order: Waiting) {
        let order_id = order.order_id;
        self.stop_search(order_id);
        self.deadlines.insert((order.search_until, Deadline::Search(order_id)));
        let place = self.pickups.insert(order_id, order.pickup);
        self.changed_orders.insert(order_id);
        self.waiting.insert(order_id, Search::new(order, place));
    }

    /// An order searches no more: offered, over, or given away.
    pub fn stop_search(&mut self, order_id: OrderId) {
        self.changed_orders.remove(&order_id);
        let Some(search) = self.waiting.remove(&order_id) else { return };
        self.pickups.remove(search.place);
        self.deadlines.remove(&(search.search_until, Deadline::Search(order_id)));
        if let Some(at) = search.retry_at {
            self.deadlines.remove(&(at, Deadline::Retry(order_id)));
        }
        if let Some(driver) = search.asking {
            self.free_place(driver);
        }
    }

    /// An offer was made.
    pub fn offer_made(&mut self, offer_id: OfferId, offer: OfferTimes) {
        self.stop_search(offer.order_id);
        if self.offers.contains_key(&offer_id) {
            return;
        }
        self.fleet.update(offer.driver_id, |driver| driver.offers += 1);
        self.deadlines.insert((offer.first(), Deadline::Offer(offer_id)));
        self.offers.insert(offer_id, offer);
    }

    /// The driver's device has the offer: it counts until it expires.
    pub fn offer_delivered(&mut self, offer_id: OfferId) {
        if let Some(offer) = self.offers.get_mut(&offer_id) {
            self.deadlines.remove(&(offer.first(), Deadline::Offer(offer_id)));
            offer.unreachable_at = None;
            self.deadlines.insert((offer.first(), Deadline::Offer(offer_id)));
        }
    }

    /// An offer ended, one way or another.
    pub fn offer_ended(&mut self, offer_id: OfferId) {
        if let Some(offer) = self.offers.remove(&offer_id) {
            self.deadlines.remove(&(offer.first(), Deadline::Offer(offer_id)));
            self.free_place(offer.driver_id);
        }
    }

    /// An offer could not be made to this driver, who is not asked for the order again before `until`.
    pub fn offer_refused(&mut self, found: &Match, until: Timestamp) {
        self.take_back(found, |search| search.bar(found.driver_id, until));
    }

    /// An offer could not be made for a reason that has nothing to do with the driver: the order waits until `until`.
    pub fn offer_failed(&mut self, found: &Match, until: Timestamp) {
        self.take_back(found, |search| search.paused_until = Some(until));
    }

    /// The order may have been given to somebody else meanwhile: then the driver's place was freed already.
    fn take_back(&mut self, found: &Match, change: impl FnOnce(&mut Search)) {
        let search = self.waiting.get_mut(&found.order_id);
        if let Some(search) = search.filter(|search| search.asking == Some(found.driver_id)) {
            search.asking = None;
            change(search);
            self.changed_orders.insert(found.order_id);
            self.free_place(found.driver_id);
        }
    }

    /// A driver has an order.
    pub fn trip_started(&mut self, driver_id: UserId, order_id: OrderId) {
        self.fleet.update(driver_id, |driver| driver.trip = Some(order_id));
    }

    /// A driver has no order any more.
    pub fn trip_ended(&mut self, driver_id: UserId) {
        self.change_driver(driver_id, |driver| driver.trip = None);
    }

    /// A driver's own word on whether he takes orders.
    pub fn driver_status(&mut self, driver_id: UserId, status: Option<DriverStatus>, seen_at: Option<Timestamp>) {
        self.change_driver(driver_id, |driver| {
            driver.status = status;
            driver.seen_at = driver.seen_at.max(seen_at);
        });
    }

    /// A driver socket opened.
    pub fn driver_connected(&mut self, driver_id: UserId) {
        self.change_driver(driver_id, |driver| driver.sockets += 1);
    }

    /// A driver socket closed.
    pub fn driver_disconnected(&mut self, driver_id: UserId, now: Timestamp) {
        self.fleet.update(driver_id, |driver| {
            driver.sockets = driver.sockets.saturating_sub(1);
            driver.seen_at = Some(now);
        });
    }

    /// A driver showed that he is there.
    pub fn driver_seen(&mut self, driver_id: UserId, now: Timestamp) {
        self.change_driver(driver_id, |driver| driver.seen_at = Some(now));
    }

    /// A driver told where he is.
    pub fn driver_moved(&mut self, driver_id: UserId, position: Position) {
        self.fleet.place(driver_id, position);
        if !self.waiting.is_empty() {
            self.changed_drivers.insert(driver_id);
        }
    }

    /// Where a driver was last.
    pub fn position(&self, driver_id: UserId) -> Option<Position> {
        self.fleet.driver(driver_id)?.position
    }

    /// The order that a driver drives.
    pub fn trip(&self, driver_id: UserId) -> Option<OrderId> {
        self.fleet.driver(driver_id)?.trip
    }

    /// Whether an order waits for a driver.
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// How many offers are live, and how many orders wait.
    pub fn counts(&self) -> (usize, usize) {
        (self.offers.len(), self.waiting.len())
    }

    pub(super) fn change_driver(&mut self, driver_id: UserId, change: impl FnOnce(&mut Driver)) {
        self.fleet.update(driver_id, change);
        if !self.waiting.is_empty() {
            self.changed_drivers.insert(driver_id);
        }
    }

    fn free_place(&mut self, driver_id: UserId) {
        self.change_driver(driver_id, |driver| driver.offers = driver.offers.saturating_sub(1));
    }
}
