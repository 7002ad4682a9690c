//! The part of the database: orders and offers, and which transitions there are. Like there, each has a guard, and whoever
//! comes too late changes nothing.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use holodrive::{
    config::Config,
    dispatch::{OfferTimes, Point, Rules, Waiting},
};
use holodrive_protocol::{OfferId, OrderId, OrderStatus, Timestamp, UserId};

/// What the transitions go by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    pub(super) offer_timeout: Duration,
    unreachable_timeout: Option<Duration>,
    reoffer_after: Duration,
    pub(super) search_timeout: Duration,
    pub(super) offers_per_driver: usize,
    pub(super) offers_per_order: usize,
}

impl Terms {
    pub(super) fn new(config: &Config, rules: &Rules) -> Self {
        Self {
            offer_timeout: config.order_offer_timeout,
            unreachable_timeout: config.order_offer_unreachable_timeout,
            reoffer_after: config.order_reoffer_after,
            search_timeout: config.order_search_timeout,
            offers_per_driver: config.order_offers_per_driver as usize,
            offers_per_order: rules.strategy.offers_per_order(),
        }
    }
}

/// An order.
#[derive(Clone, Debug)]
pub(super) struct Order {
    pub(super) status: OrderStatus,
    pub(super) pickup: Point,
    pub(super) created_at: Timestamp,
    pub(super) search_until: Timestamp,
    pub(super) driver_id: Option<UserId>,
    pub(super) live: BTreeSet<OfferId>,
    /// Who was asked in vain, and until when he is not asked again.
    barred: Vec<(UserId, Timestamp)>,
    pub(super) offers: u32,
}

/// How an offer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OfferState {
    Live,
    Accepted,
    Declined,
    Expired,
    Unreachable,
    /// The rider left, another driver was faster, or the driver took another order.
    Withdrawn,
}

/// An offer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer {
    pub(super) times: OfferTimes,
    pub(super) state: OfferState,
    /// For the first, second … time the same driver is asked for this order.
    pub(super) time: u64,
    /// Whether it is on its way to the phone, or was lost there.
    is_sent: bool,
    delivered: bool,
}

/// All orders and offers.
#[derive(Debug)]
pub(super) struct Ledger {
    pub(super) terms: Terms,
    /// Numbered from 1, one after the other.
    orders: Vec<Order>,
    pub(super) offers: Vec<Offer>,
    /// Orders that nobody has and that are not over.
    pub(super) open: BTreeSet<OrderId>,
    /// Live offers and searches by the moment at which they run out.
    deadlines: BTreeSet<(Timestamp, Overdue)>,
    held: HashMap<UserId, BTreeSet<OfferId>>,
    pub(super) trips: HashMap<UserId, OrderId>,
}

/// What has run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Overdue {
    Expired(OfferId),
    Unreachable(OfferId),
    Search(OrderId),
}

/// An acceptance that counts.
pub(super) struct Accepted {
    pub(super) order_id: OrderId,
    pub(super) driver_id: UserId,
    /// Offers that are of no use any more, of this order and to this driver.
    pub(super) others: Vec<OfferId>,
}

impl Ledger {
    pub(super) fn new(terms: Terms) -> Self {
        Self {
            terms,
            orders: Vec::new(),
            offers: Vec::new(),
            open: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            held: HashMap::new(),
            trips: HashMap::new(),
        }
    }

    /// An order is made, and searches; gives its number.
    pub(super) fn create(&mut self, pickup: Point, now: Timestamp) -> OrderId {
        let search_until = now.after(self.terms.search_timeout);
        let order = Order {
            status: OrderStatus::Searching,
            pickup,
            created_at: now,
            search_until,
            driver_id: None,
            live: BTreeSet::new(),
            barred: Vec::new(),
            offers: 0,
        };
        self.orders.push(order);
        let order_id = OrderId::try_from(self.orders.len()).unwrap_or(OrderId::MAX);
        self.open.insert(order_id);
        self.deadlines.insert((search_until, Overdue::Search(order_id)));
        order_id
    }

    /// What the dispatcher is told of an order that wants a driver, or one more; `None` for one that does not.
    pub(super) fn waiting(&self, order_id: OrderId) -> Option<Waiting> {
        let order = self.order(order_id).filter(|_| self.open.contains(&order_id))?;
        (order.live.len() < self.terms.offers_per_order).then(|| Waiting {
            order_id,
            pickup: order.pickup,
            search_from: order.created_at,
            search_until: order.search_until,
            needs: holodrive::dispatch::Needs::default(),
            barred: order.barred.clone(),
            offered: order.live.iter().filter_map(|id| Some(self.offer(*id)?.times.driver_id)).collect(),
        })
    }

    /// searching → pending, with a live offer; with several at once pending stays pending. `None` when order or driver got
    /// something else to do meanwhile.
    pub(super) fn offer_to(
        &mut self,
        order_id: OrderId,
        driver_id: UserId,
        now: Timestamp,
    ) -> Option<(OfferId, OfferTimes)> {
        let Terms { offer_timeout, unreachable_timeout, offers_per_driver, offers_per_order, .. } = self.terms;
        let held = self.held.entry(driver_id).or_default();
        let is_free = !self.trips.contains_key(&driver_id) && held.len() < offers_per_driver;
        let order = order_mut(&mut self.orders, order_id).filter(|_| is_free && self.open.contains(&order_id))?;
        let is_barred = order.barred.iter().any(|(barred, until)| *barred == driver_id && *until > now);
        if is_barred || order.live.len() >= offers_per_order {
            return None;
        }
        let id = OfferId::try_from(self.offers.len()).ok()?;
        let unreachable_at = unreachable_timeout.map(|timeout| now.after(timeout));
        let times = OfferTimes { order_id, driver_id, expires_at: now.after(offer_timeout), unreachable_at };
        let time = 1 + order.barred.iter().filter(|(barred, _)| *barred == driver_id).count() as u64;
        self.offers.push(Offer { times, state: OfferState::Live, time, is_sent: false, delivered: false });
        (order.status, order.offers) = (OrderStatus::Pending, order.offers + 1);
        (order.live.insert(id), held.insert(id));
        self.deadlines.insert((times.expires_at, Overdue::Expired(id)));
        self.deadlines.extend(unreachable_at.map(|at| (at, Overdue::Unreachable(id))));
        Some((id, times))
    }

    /// The offer goes to the phone; `None` when it is not live, or was sent before.
    pub(super) fn send(&mut self, offer_id: OfferId) -> Option<Offer> {
        let offer = self.live_mut(offer_id).filter(|offer| !offer.is_sent)?;
        offer.is_sent = true;
        Some(*offer)
    }

    /// The phone has the offer. `false` when it is not live, or was delivered before.
    pub(super) fn deliver(&mut self, offer_id: OfferId) -> bool {
        let Some(offer) = self.live_mut(offer_id).filter(|offer| !offer.delivered) else { return false };
        offer.delivered = true;
        if let Some(at) = offer.times.unreachable_at {
            self.deadlines.remove(&(at, Overdue::Unreachable(offer_id)));
        }
        true
    }

    /// pending → accepted, before the deadline. `None` when the offer is not live any more.
    pub(super) fn accept(&mut self, offer_id: OfferId, now: Timestamp) -> Option<Accepted> {
        let OfferTimes { order_id, driver_id, .. } =
            self.live_mut(offer_id).filter(|offer| offer.times.expires_at > now)?.times;
        self.close(offer_id, OfferState::Accepted);
        let order = order_mut(&mut self.orders, order_id)?;
        (order.status, order.driver_id) = (OrderStatus::Accepted, Some(driver_id));
        let mut others: Vec<OfferId> = order.live.iter().copied().collect();
        others.extend(self.held_by(driver_id));
        self.settle(order_id);
        self.trips.insert(driver_id, order_id);
        Some(Accepted { order_id, driver_id, others })
    }

    /// Ends a live offer; with the last one pending → searching. Who had it is not asked again for a while. `None` when it is
    /// not live any more.
    pub(super) fn end_offer(&mut self, offer_id: OfferId, state: OfferState, now: Timestamp) -> Option<OfferTimes> {
        let times = self.live_mut(offer_id)?.times;
        self.close(offer_id, state);
        let until = now.after(self.terms.reoffer_after);
        let order = order_mut(&mut self.orders, times.order_id)?;
        order.barred.push((times.driver_id, until));
        if order.status == OrderStatus::Pending && order.live.is_empty() {
            order.status = OrderStatus::Searching;
        }
        Some(times)
    }

    /// searching → cancelled, after all live offers were withdrawn. `false` when it is too late.
    pub(super) fn cancel(&mut self, order_id: OrderId) -> bool {
        self.finish(order_id, OrderStatus::Cancelled)
    }

    /// searching → `no_driver`, when the search has run out. `false` when it has not.
    pub(super) fn give_up(&mut self, order_id: OrderId, now: Timestamp) -> bool {
        let has_run_out = self.order(order_id).is_some_and(|order| order.search_until <= now);
        has_run_out && self.finish(order_id, OrderStatus::NoDriver)
    }

    /// in progress → completed.
    pub(super) fn complete(&mut self, driver_id: UserId) -> Option<OrderId> {
        let order_id = self.trips.remove(&driver_id)?;
        order_mut(&mut self.orders, order_id)?.status = OrderStatus::Completed;
        Some(order_id)
    }

    /// What had run out by now, in the order of time. A search with a live offer waits for that.
    pub(super) fn overdue(&self, now: Timestamp) -> Vec<Overdue> {
        let until = (now, Overdue::Search(OrderId::MAX));
        let is_pending = |id| self.order(id).is_some_and(|order| order.status == OrderStatus::Pending);
        let counts = |what: &Overdue| !matches!(what, Overdue::Search(id) if is_pending(*id));
        self.deadlines.range(..=until).map(|(_, what)| *what).filter(counts).collect()
    }

    pub(super) fn order(&self, order_id: OrderId) -> Option<&Order> {
        self.orders.get(usize::try_from(order_id).ok()?.checked_sub(1)?)
    }

    /// All orders with their numbers.
    pub(super) fn orders(&self) -> impl Iterator<Item = (OrderId, &Order)> {
        (1..).zip(&self.orders)
    }

    pub(super) fn offer(&self, offer_id: OfferId) -> Option<&Offer> {
        self.offers.get(usize::try_from(offer_id).ok()?)
    }

    /// The live offers of a driver.
    pub(super) fn held_by(&self, driver_id: UserId) -> Vec<OfferId> {
        self.held.get(&driver_id).into_iter().flatten().copied().collect()
    }

    /// A driver who holds more offers than he may, and how many.
    pub(super) fn too_many_offers(&self, limit: usize) -> Option<(UserId, usize)> {
        self.held.iter().map(|(driver_id, held)| (*driver_id, held.len())).find(|(_, held)| *held > limit)
    }

    /// How many orders want a driver, or one more.
    pub(super) fn waiting_orders(&self) -> usize {
        let has_room = |order: &&Order| order.live.len() < self.terms.offers_per_order;
        self.open.iter().filter_map(|id| self.order(*id)).filter(has_room).count()
    }

    /// How many offers are live.
    pub(super) fn live_offers(&self) -> usize {
        self.held.values().map(BTreeSet::len).sum()
    }

    fn live_mut(&mut self, offer_id: OfferId) -> Option<&mut Offer> {
        let offer = self.offers.get_mut(usize::try_from(offer_id).ok()?)?;
        (offer.state == OfferState::Live).then_some(offer)
    }

    fn close(&mut self, offer_id: OfferId, state: OfferState) {
        let Some(offer) = self.live_mut(offer_id) else { return };
        offer.state = state;
        let OfferTimes { order_id, driver_id, expires_at, unreachable_at } = offer.times;
        self.deadlines.remove(&(expires_at, Overdue::Expired(offer_id)));
        if let Some(at) = unreachable_at {
            self.deadlines.remove(&(at, Overdue::Unreachable(offer_id)));
        }
        if let Some(held) = self.held.get_mut(&driver_id) {
            held.remove(&offer_id);
        }
        self.held.retain(|_, held| !held.is_empty());
        if let Some(order) = order_mut(&mut self.orders, order_id) {
            order.live.remove(&offer_id);
        }
    }

    fn finish(&mut self, order_id: OrderId, status: OrderStatus) -> bool {
        let order = order_mut(&mut self.orders, order_id).filter(|order| order.status == OrderStatus::Searching);
        let Some(order) = order else { return false };
        order.status = status;
        self.settle(order_id);
        true
    }

    /// Nobody is looked for any more.
    fn settle(&mut self, order_id: OrderId) {
        self.open.remove(&order_id);
        if let Some(order) = self.order(order_id) {
            self.deadlines.remove(&(order.search_until, Overdue::Search(order_id)));
        }
    }
}

fn order_mut(orders: &mut [Order], order_id: OrderId) -> Option<&mut Order> {
    orders.get_mut(usize::try_from(order_id).ok()?.checked_sub(1)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::simulate::{
        demand::point,
        moment::{SECOND, at},
    };

    const A: UserId = UserId::Int(1);
    const B: UserId = UserId::Int(2);

    fn ledger(offers_per_order: usize) -> Ledger {
        let seconds = Duration::from_secs;
        let mut ledger = Ledger::new(Terms {
            offer_timeout: seconds(30),
            unreachable_timeout: Some(seconds(10)),
            reoffer_after: seconds(60),
            search_timeout: seconds(100),
            offers_per_driver: 1,
            offers_per_order,
        });
        assert_eq!(ledger.create(point(0.0, 0.0).unwrap(), at(0)), 1);
        ledger
    }

    fn second(n: i64) -> Timestamp {
        at(n * SECOND)
    }

    #[test]
    fn an_order_has_one_offer_and_a_driver_one_order() {
        let mut ledger = ledger(1);
        let (offer, _) = ledger.offer_to(1, A, at(0)).unwrap();
        assert!(ledger.offer_to(1, B, at(0)).is_none() && ledger.waiting(1).is_none());
        assert_eq!(ledger.create(point(0.0, 0.0).unwrap(), at(0)), 2);
        assert!(ledger.offer_to(2, A, at(0)).is_none());
        assert_eq!(ledger.accept(offer, second(29)).unwrap().driver_id, A);
        assert!(ledger.accept(offer, second(29)).is_none());
        assert!(ledger.offer_to(2, A, second(29)).is_none(), "he drives");
        assert_eq!(ledger.complete(A), Some(1));
        assert!(ledger.offer_to(2, A, second(60)).is_some());
    }

    #[test]
    fn deadlines_are_met_and_a_delivered_offer_lasts() {
        let mut ledger = ledger(1);
        let (offer, _) = ledger.offer_to(1, A, at(0)).unwrap();
        assert_eq!(ledger.overdue(second(9)), []);
        assert_eq!(ledger.overdue(second(10)), [Overdue::Unreachable(offer)]);
        assert!(ledger.deliver(offer) && !ledger.deliver(offer));
        assert_eq!(ledger.overdue(second(29)), []);
        assert_eq!(ledger.overdue(second(30)), [Overdue::Expired(offer)]);
        assert!(ledger.accept(offer, second(30)).is_none());
        ledger.end_offer(offer, OfferState::Expired, second(30)).unwrap();
        assert!(ledger.offer_to(1, A, second(89)).is_none(), "he cools down");
        let (again, _) = ledger.offer_to(1, A, second(90)).unwrap();
        assert_eq!(ledger.offer(again).unwrap().time, 2);
        assert_eq!(ledger.overdue(second(100)), [Overdue::Unreachable(again)], "the offer first, then the search");
        ledger.end_offer(again, OfferState::Unreachable, second(100)).unwrap();
        assert_eq!(ledger.overdue(second(100)), [Overdue::Search(1)]);
        assert!(!ledger.give_up(1, second(99)) && ledger.give_up(1, second(100)));
        assert_eq!(ledger.overdue(second(1_000)), []);
    }

    #[test]
    fn of_several_drivers_the_first_has_it() {
        let mut ledger = ledger(2);
        let (first, _) = ledger.offer_to(1, A, at(0)).unwrap();
        assert_eq!(ledger.waiting(1).unwrap().offered, [A]);
        let (other, _) = ledger.offer_to(1, B, at(0)).unwrap();
        assert!(ledger.waiting(1).is_none() && !ledger.cancel(1));
        assert_eq!(ledger.accept(other, second(1)).unwrap().others, [first]);
        assert!(ledger.order(1).unwrap().driver_id == Some(B));
    }
}
