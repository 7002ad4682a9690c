//! Who waits for whom: the dispatcher's view of orders, offers and drivers.
//!
//! Pure state: changes in, a plan out (`planning`). It can be wrong for a moment (a crash, another process) without harm,
//! because the database has the last word on every transition.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use holodrive_protocol::{OfferId, OrderId, Timestamp, UserId, http::DriverStatus};

use super::{
    fleet::{Driver, Fleet, Position},
    grid::Grid,
    model::{Match, OfferTimes, Rules, Vehicle, Waiting},
    search::Search,
    strategy::{self, Strategy},
};

/// How many times as long as makes him stale a driver is silent before he is not even considered any more.
const AWAY_AFTER: u32 = 2;

/// The dispatcher's view.
#[derive(Debug)]
pub struct Board {
    pub(super) rules: Rules,
    pub(super) strategy: Arc<dyn Strategy>,
    pub(super) fleet: Fleet,
    /// Orders that want a driver, or one more.
    pub(super) waiting: BTreeMap<OrderId, Search>,
    /// Those that were put on the board since the last plan.
    pub(super) incoming: Vec<OrderId>,
    /// Those whose search has begun, by age.
    pub(super) ages: BTreeSet<(Timestamp, OrderId)>,
    /// Where those of them wait that may have one more offer.
    pub(super) pickups: Grid<OrderId>,
    /// Those of them for which a driver is free whom their radius does not reach yet.
    pub(super) held_back: BTreeSet<OrderId>,
    pub(super) offers: HashMap<OfferId, OfferTimes>,
    pub(super) deadlines: BTreeSet<(Timestamp, Deadline)>,
    /// Orders and drivers for whom something changed since the last plan.
    pub(super) changed_orders: BTreeSet<OrderId>,
    pub(super) changed_drivers: BTreeSet<UserId>,
    /// When the first of those changes was seen by a plan.
    pub(super) gathering_since: Option<Timestamp>,
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
            strategy: strategy::of(rules.strategy),
            fleet: Fleet::new(AWAY_AFTER * rules.stale_after).with_offers_per_driver(rules.offers_per_driver),
            rules,
            waiting: BTreeMap::new(),
            incoming: Vec::new(),
            ages: BTreeSet::new(),
            pickups: Grid::default(),
            held_back: BTreeSet::new(),
            offers: HashMap::new(),
            deadlines: BTreeSet::new(),
            changed_orders: BTreeSet::new(),
            changed_drivers: BTreeSet::new(),
            gathering_since: None,
        }
    }

    /// Forgets all orders and offers, so that they can be put on the board anew; the drivers stay.
    pub fn forget_orders(&mut self) {
        self.fleet.forget_orders();
        self.waiting.clear();
        self.incoming.clear();
        self.ages.clear();
        self.pickups = Grid::default();
        self.held_back.clear();
        self.offers.clear();
        self.deadlines.clear();
        self.changed_orders.clear();
    }

    /// An order wants a driver or one more, from now on or again.
    pub fn search(&mut self, order: Waiting) {
        let order_id = order.order_id;
        self.stop_search(order_id);
        // A live offer first runs out, then the search.
        if order.offered.is_empty() {
            self.deadlines.insert((order.search_until, Deadline::Search(order_id)));
        }
        self.incoming.push(order_id);
        self.waiting.insert(order_id, Search::new(order));
    }

    /// An order's search has begun: it can be matched from now on.
    pub(super) fn begin_search(&mut self, order_id: OrderId) {
        let Some(search) = self.waiting.get(&order_id) else { return };
        self.ages.insert((search.search_from, order_id));
        self.changed_orders.insert(order_id);
        self.relist(order_id);
    }

    /// Keeps an order among the pickups for just as long as it may have one more offer, and not before its search has begun:
    /// drivers who look for an order, and move while orders wait for the writer, pass over no others.
    pub(super) fn relist(&mut self, order_id: OrderId) {
        let width = self.strategy.offers_per_order();
        let Some(search) = self.waiting.get_mut(&order_id) else { return };
        let is_wanting = search.wants_more(width) && self.ages.contains(&(search.search_from, order_id));
        match search.place {
            None if is_wanting => search.place = Some(self.pickups.insert(order_id, search.pickup)),
            Some(place) if !is_wanting => {
                self.pickups.remove(place);
                search.place = None;
            }
            _ => {}
        }
    }

    /// An order wants no more drivers: it has enough offers, is over, or was given away.
    pub fn stop_search(&mut self, order_id: OrderId) {
        self.changed_orders.remove(&order_id);
        self.held_back.remove(&order_id);
        let Some(search) = self.waiting.remove(&order_id) else { return };
        if let Some(place) = search.place {
            self.pickups.remove(place);
        }
        self.ages.remove(&(search.search_from, order_id));
        self.deadlines.remove(&(search.search_until, Deadline::Search(order_id)));
        if let Some(at) = search.retry_at {
            self.deadlines.remove(&(at, Deadline::Retry(order_id)));
        }
        for driver in search.asking {
            self.free_place(driver);
        }
    }

    /// An offer was made.
    pub fn offer_made(&mut self, offer_id: OfferId, offer: OfferTimes) {
        if self.offers.contains_key(&offer_id) {
            return;
        }
        self.count_offer(&offer);
        self.fleet.update(offer.driver_id, |driver| driver.offers += 1);
        self.deadlines.insert((offer.first(), Deadline::Offer(offer_id)));
        self.offers.insert(offer_id, offer);
    }

    /// The order searches on only while it may have more offers.
    fn count_offer(&mut self, offer: &OfferTimes) {
        let (order_id, driver_id) = (offer.order_id, offer.driver_id);
        let Some(search) = self.waiting.get_mut(&order_id) else { return };
        let asked = search.asking.iter().position(|id| *id == driver_id).map(|index| search.asking.swap_remove(index));
        search.offered.push(driver_id);
        let (search_until, is_full) = (search.search_until, search.offered.len() >= self.strategy.offers_per_order());
        self.deadlines.remove(&(search_until, Deadline::Search(order_id)));
        if let Some(driver_id) = asked {
            self.free_place(driver_id);
        }
        if is_full {
            self.stop_search(order_id);
        } else {
            self.relist(order_id);
        }
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

    /// An offer was withdrawn because it never reached the driver's phone: he gets no other until he is heard of.
    pub fn driver_unreachable(&mut self, driver_id: UserId) {
        self.fleet.update(driver_id, |driver| driver.unreachable = true);
    }

    /// The database refused to offer this order to this driver, who is not asked for it again before `until`.
    pub fn offer_refused(&mut self, found: &Match, until: Timestamp) {
        self.take_back(found, |search| search.refuse(found.driver_id, until));
    }

    /// An offer could not be made for a reason that has nothing to do with the driver: the order waits until `until`.
    pub fn offer_failed(&mut self, found: &Match, until: Timestamp) {
        self.take_back(found, |search| search.paused_until = Some(until));
    }

    /// The order may have been given to somebody else meanwhile: then the driver's place was freed already.
    fn take_back(&mut self, found: &Match, change: impl FnOnce(&mut Search)) {
        let Some(search) = self.waiting.get_mut(&found.order_id) else { return };
        let Some(index) = search.asking.iter().position(|id| *id == found.driver_id) else { return };
        search.asking.swap_remove(index);
        change(search);
        self.changed_orders.insert(found.order_id);
        self.relist(found.order_id);
        self.free_place(found.driver_id);
    }

    /// A driver has an order, also one that could have had more offers.
    pub fn trip_started(&mut self, driver_id: UserId, order_id: OrderId) {
        self.stop_search(order_id);
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
            driver.unreachable = false;
        });
    }

    /// What a driver drives; `None`: nobody said.
    pub fn driver_vehicle(&mut self, driver_id: UserId, vehicle: Option<Vehicle>) {
        self.change_driver(driver_id, |driver| driver.vehicle = vehicle.map(Box::new));
    }

    /// A driver socket opened.
    pub fn driver_connected(&mut self, driver_id: UserId) {
        self.change_driver(driver_id, |driver| {
            driver.sockets += 1;
            driver.unreachable = false;
        });
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
        self.change_driver(driver_id, |driver| driver.heard_at(now));
    }

    /// A driver told where he is; gives the order that he drives, and whether a waiting order may be for him. No change is
    /// nearly as frequent.
    pub fn driver_moved(&mut self, driver_id: UserId, position: Position) -> (Option<OrderId>, bool) {
        let rules = self.fleet_rules();
        let driver = self.fleet.place(driver_id, position);
        let may_match = !self.pickups.is_empty() && driver.obstacle(position.at, rules).is_none();
        if may_match {
            self.changed_drivers.insert(driver_id);
        }
        (driver.trip, may_match)
    }

    /// Where a driver was last.
    pub fn position(&self, driver_id: UserId) -> Option<Position> {
        self.fleet.driver(driver_id)?.position
    }

    /// When a driver was last heard of on this node: now, while he has a socket.
    pub fn last_heard(&self, driver_id: UserId, now: Timestamp) -> Option<Timestamp> {
        let driver = self.fleet.driver(driver_id)?;
        if driver.sockets > 0 { Some(now) } else { driver.seen_at }
    }

    /// The order that a driver drives.
    pub fn trip(&self, driver_id: UserId) -> Option<OrderId> {
        self.fleet.driver(driver_id)?.trip
    }

    /// How many offers are live, and how many orders wait whose search has begun.
    pub fn counts(&self) -> (usize, usize) {
        (self.offers.len(), self.ages.len())
    }

    /// Whether more orders wait than there are drivers who may be asked.
    pub(super) fn is_scarce(&self) -> bool {
        self.pickups.len() > self.fleet.free()
    }

    /// How far a driver may be from the pickup at this moment.
    pub(super) fn reach_km(&self, search: &Search, now: Timestamp) -> f64 {
        let radius = self.rules.radius;
        if self.is_scarce() { search.radius_km(radius, now) } else { radius.limit_km }
    }

    pub(super) fn change_driver(&mut self, driver_id: UserId, change: impl FnOnce(&mut Driver)) {
        let offers_per_driver = self.rules.offers_per_driver;
        let is_free = self.fleet.update(driver_id, |driver| {
            change(driver);
            driver.is_free(offers_per_driver)
        });
        if !self.pickups.is_empty() && is_free {
            self.changed_drivers.insert(driver_id);
        }
    }

    fn free_place(&mut self, driver_id: UserId) {
        self.change_driver(driver_id, |driver| driver.offers = driver.offers.saturating_sub(1));
    }
}
