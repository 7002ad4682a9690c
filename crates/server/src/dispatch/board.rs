//! Who waits for whom: the dispatcher's view of orders, offers and drivers, and what to do next.
//!
//! Pure state: changes in, a plan out. It can be wrong for a moment (a crash, another process) without harm, because the
//! database has the last word on every transition.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use holodrive_protocol::{OfferId, OrderId, Timestamp, UserId, http::DriverStatus};

use super::{
    fleet::{Driver, Fleet, FleetRules, Position},
    geo::Point,
};

/// How the board decides.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Whether orders are offered without staff.
    pub automatic: bool,
    /// How far a driver may be from the pickup.
    pub radius_km: f64,
    /// After how long without a sign of life a driver gets no offers.
    pub stale_after: Duration,
    /// Live offers that one driver may hold.
    pub offers_per_driver: u32,
}

/// An order that searches.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Which.
    pub order_id: OrderId,
    /// Where the rider waits.
    pub pickup: Point,
    /// When the search ends.
    pub search_until: Timestamp,
    /// Who may not be offered it, and until when.
    pub barred: Vec<(UserId, Timestamp)>,
}

/// A moment that never comes, for a driver who is not asked again.
pub const NEVER: Timestamp = Timestamp::from_micros(i64::MAX);

/// An offer that the dispatcher wants made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match {
    /// Of which order.
    pub order_id: OrderId,
    /// To whom.
    pub driver_id: UserId,
    /// How far he is from the pickup, where that is known.
    pub distance_km: Option<f64>,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Offers to make.
    pub matches: Vec<Match>,
    /// Whether a deadline has passed.
    pub overdue: bool,
    /// When to look again at the latest.
    pub wake_at: Option<Timestamp>,
}

/// The dispatcher's view.
#[derive(Debug)]
pub struct Board {
    rules: Rules,
    fleet: Fleet,
    waiting: BTreeMap<OrderId, Search>,
    offers: HashMap<OfferId, Deadlines>,
    deadlines: BTreeSet<(Timestamp, Deadline)>,
    /// Orders and drivers for whom something changed since the last plan.
    changed_orders: BTreeSet<OrderId>,
    changed_drivers: BTreeSet<UserId>,
}

#[derive(Debug)]
struct Search {
    pickup: Point,
    search_until: Timestamp,
    barred: HashMap<UserId, Timestamp>,
    /// The driver to whom an offer is being made.
    asking: Option<UserId>,
}

impl Search {
    fn is_barred(&self, driver: UserId, now: Timestamp) -> bool {
        self.barred.get(&driver).is_some_and(|until| *until > now)
    }
}

#[derive(Clone, Copy, Debug)]
struct Deadlines {
    driver_id: UserId,
    expires_at: Timestamp,
    unreachable_at: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Deadline {
    Offer(OfferId),
    Search(OrderId),
    /// A cool-down ends, so that the order can be offered again.
    Retry(OrderId),
}

impl Board {
    /// An empty view.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            fleet: Fleet::default(),
            waiting: BTreeMap::new(),
            offers: HashMap::new(),
            deadlines: BTreeSet::new(),
            changed_orders: BTreeSet::new(),
            changed_drivers: BTreeSet::new(),
        }
    }

    /// An order searches, from now on or again.
    pub fn search(&mut self, order: Waiting) {
        self.stop_search(order.order_id);
        self.deadlines.insert((order.search_until, Deadline::Search(order.order_id)));
        self.changed_orders.insert(order.order_id);
        let search = Search {
            pickup: order.pickup,
            search_until: order.search_until,
            barred: order.barred.into_iter().collect(),
            asking: None,
        };
        self.waiting.insert(order.order_id, search);
    }

    /// An order searches no more: offered, over, or given away.
    pub fn stop_search(&mut self, order_id: OrderId) {
        if let Some(search) = self.waiting.remove(&order_id) {
            self.deadlines.remove(&(search.search_until, Deadline::Search(order_id)));
            if let Some(driver) = search.asking {
                self.release_offer(driver);
            }
        }
        self.changed_orders.remove(&order_id);
    }

    /// An offer was made.
    pub fn offer_made(&mut self, offer_id: OfferId, offer: OfferTimes) {
        let OfferTimes { order_id, driver_id, expires_at, unreachable_at } = offer;
        self.stop_search(order_id);
        let deadlines = Deadlines { driver_id, expires_at, unreachable_at };
        self.fleet.update(driver_id, |driver| driver.offers += 1);
        self.deadlines.insert((deadlines.first(), Deadline::Offer(offer_id)));
        self.offers.insert(offer_id, deadlines);
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
            self.release_offer(offer.driver_id);
        }
    }

    /// An offer could not be made; the driver is not asked again before `until`.
    pub fn offer_refused(&mut self, found: &Match, until: Timestamp) {
        self.release_offer(found.driver_id);
        if let Some(search) = self.waiting.get_mut(&found.order_id) {
            search.asking = None;
            search.barred.insert(found.driver_id, until);
            self.changed_orders.insert(found.order_id);
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
        self.driver_seen(driver_id, position.at);
    }

    /// Where a driver was last.
    pub fn position(&self, driver_id: UserId) -> Option<Position> {
        self.fleet.driver(driver_id)?.position
    }

    /// The order that a driver drives.
    pub fn trip(&self, driver_id: UserId) -> Option<OrderId> {
        self.fleet.driver(driver_id)?.trip
    }

    /// How many offers are live, and how many orders wait.
    pub fn counts(&self) -> (usize, usize) {
        (self.offers.len(), self.waiting.len())
    }

    /// What is to be done now. The matches count as being made until they are reported back.
    pub fn plan(&mut self, now: Timestamp) -> Plan {
        let overdue = self.pass_deadlines(now);
        let matches = if self.rules.automatic { self.find_matches(now) } else { Vec::new() };
        self.changed_orders.clear();
        self.changed_drivers.clear();
        Plan { matches, overdue, wake_at: self.deadlines.first().map(|(at, _)| *at) }
    }

    /// Whether an offer or a search should have ended by now.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        let passed = self.deadlines.range(..=(now, Deadline::Retry(OrderId::MAX)));
        passed.into_iter().any(|(_, deadline)| !matches!(deadline, Deadline::Retry(_)))
    }

    /// Lets cool-downs end; tells whether an offer or a search has run out. Those stay until the database has ended them.
    fn pass_deadlines(&mut self, now: Timestamp) -> bool {
        let passed: Vec<_> = self.deadlines.range(..=(now, Deadline::Retry(OrderId::MAX))).copied().collect();
        let mut overdue = false;
        for (at, deadline) in passed {
            if let Deadline::Retry(order_id) = deadline {
                self.deadlines.remove(&(at, deadline));
                self.changed_orders.insert(order_id);
            } else {
                overdue = true;
            }
        }
        overdue
    }

    fn find_matches(&mut self, now: Timestamp) -> Vec<Match> {
        let mut matches = Vec::new();
        for order_id in std::mem::take(&mut self.changed_orders) {
            matches.extend(self.match_order(order_id, now));
        }
        for driver_id in std::mem::take(&mut self.changed_drivers) {
            while let Some(found) = self.match_driver(driver_id, now) {
                matches.push(found);
            }
        }
        matches
    }

    /// The nearest driver for an order.
    fn match_order(&mut self, order_id: OrderId, now: Timestamp) -> Option<Match> {
        let rules = self.fleet_rules();
        let search =
            self.waiting.get(&order_id).filter(|search| search.asking.is_none() && search.search_until > now)?;
        let nearest = self.fleet.nearest(search.pickup, now, rules, |driver| search.is_barred(driver, now));
        let Some((driver_id, distance_km)) = nearest else {
            let retry_at = search.barred.values().filter(|until| **until > now && **until < NEVER).min();
            self.deadlines.extend(retry_at.map(|at| (*at, Deadline::Retry(order_id))));
            return None;
        };
        Some(self.ask(Match { order_id, driver_id, distance_km }))
    }

    /// The nearest order for a driver.
    fn match_driver(&mut self, driver_id: UserId, now: Timestamp) -> Option<Match> {
        let rules = self.fleet_rules();
        let candidates = self.waiting.iter().filter(|(_, search)| {
            search.asking.is_none() && search.search_until > now && !search.is_barred(driver_id, now)
        });
        let reachable = candidates.filter_map(|(order_id, search)| {
            Some((*order_id, self.fleet.reach(driver_id, search.pickup, now, rules)?))
        });
        let (order_id, distance_km) =
            reachable.min_by(|(_, a), (_, b)| a.unwrap_or(f64::INFINITY).total_cmp(&b.unwrap_or(f64::INFINITY)))?;
        Some(self.ask(Match { order_id, driver_id, distance_km }))
    }

    fn ask(&mut self, found: Match) -> Match {
        self.fleet.update(found.driver_id, |driver| driver.offers += 1);
        if let Some(search) = self.waiting.get_mut(&found.order_id) {
            search.asking = Some(found.driver_id);
        }
        found
    }

    fn release_offer(&mut self, driver_id: UserId) {
        self.change_driver(driver_id, |driver| driver.offers = driver.offers.saturating_sub(1));
    }

    fn change_driver(&mut self, driver_id: UserId, change: impl FnOnce(&mut Driver)) {
        self.fleet.update(driver_id, change);
        if !self.waiting.is_empty() {
            self.changed_drivers.insert(driver_id);
        }
    }

    fn fleet_rules(&self) -> FleetRules {
        let Rules { radius_km, stale_after, offers_per_driver, .. } = self.rules;
        FleetRules { stale_after, offers_per_driver, radius_km }
    }
}

/// An offer's people and times.
#[derive(Clone, Copy, Debug)]
pub struct OfferTimes {
    /// Of which order.
    pub order_id: OrderId,
    /// To whom.
    pub driver_id: UserId,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it is withdrawn unless it was delivered.
    pub unreachable_at: Option<Timestamp>,
}

impl Deadlines {
    fn first(&self) -> Timestamp {
        self.unreachable_at.map_or(self.expires_at, |at| at.min(self.expires_at))
    }
}
