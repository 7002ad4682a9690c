//! What can happen to orders and offers.

use std::collections::BTreeSet;

use holodrive::dispatch::{OfferTimes, Point};
use holodrive_protocol::{OfferId, OrderId, OrderStatus, Timestamp, UserId};

use super::{Accepted, Ledger, Offer, OfferState, Order, Overdue, Terms};

impl Ledger {
    /// An order is made, and searches; gives its number.
    pub(crate) fn create(&mut self, pickup: Point, now: Timestamp) -> OrderId {
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

    /// searching → pending, with a live offer; with several at once pending stays pending. `None` when order or driver got
    /// something else to do meanwhile.
    pub(crate) fn offer_to(
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
        order.live.insert(id);
        held.insert(id);
        self.deadlines.insert((times.expires_at, Overdue::Expired(id)));
        self.deadlines.extend(unreachable_at.map(|at| (at, Overdue::Unreachable(id))));
        Some((id, times))
    }

    /// The offer goes to the phone; `None` when it is not live, or was sent before.
    pub(crate) fn send(&mut self, offer_id: OfferId) -> Option<Offer> {
        let offer = self.live_mut(offer_id).filter(|offer| !offer.is_sent)?;
        offer.is_sent = true;
        Some(*offer)
    }

    /// The phone has the offer. `false` when it is not live, or was delivered before.
    pub(crate) fn deliver(&mut self, offer_id: OfferId) -> bool {
        let Some(offer) = self.live_mut(offer_id).filter(|offer| !offer.delivered) else { return false };
        offer.delivered = true;
        if let Some(at) = offer.times.unreachable_at {
            self.deadlines.remove(&(at, Overdue::Unreachable(offer_id)));
        }
        true
    }

    /// pending → accepted, before the deadline. `None` when the offer is not live any more.
    pub(crate) fn accept(&mut self, offer_id: OfferId, now: Timestamp) -> Option<Accepted> {
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
    pub(crate) fn end_offer(&mut self, offer_id: OfferId, state: OfferState, now: Timestamp) -> Option<OfferTimes> {
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
    pub(crate) fn cancel(&mut self, order_id: OrderId) -> bool {
        self.finish(order_id, OrderStatus::Cancelled)
    }

    /// searching → `no_driver`, when the search has run out. `false` when it has not.
    pub(crate) fn give_up(&mut self, order_id: OrderId, now: Timestamp) -> bool {
        let has_run_out = self.order(order_id).is_some_and(|order| order.search_until <= now);
        has_run_out && self.finish(order_id, OrderStatus::NoDriver)
    }

    /// in progress → completed.
    pub(crate) fn complete(&mut self, driver_id: UserId) -> Option<OrderId> {
        let order_id = self.trips.remove(&driver_id)?;
        order_mut(&mut self.orders, order_id)?.status = OrderStatus::Completed;
        Some(order_id)
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

    use std::time::Duration;

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
