//! What can happen to orders and offers.

use std::collections::BTreeSet;

use holodrive::dispatch::{OfferTimes, Point};
use holodrive_protocol::{OfferId, OrderId, OrderStatus, Timestamp, UserId};

use super::{Accepted, Ledger, Offer, Order, Overdue, Terms};
use crate::simulate::outcome::OfferEnd;

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

    /// searching → pending, with a live offer; with several at once pending stays pending. Otherwise tells what is against it.
    pub(crate) fn offer_to(
        &mut self,
        order_id: OrderId,
        driver_id: UserId,
        now: Timestamp,
    ) -> Result<(OfferId, OfferTimes), &'static str> {
        if let Some(against) = self.against(order_id, driver_id, now) {
            return Err(against);
        }
        let Terms { offer_timeout, unreachable_timeout, .. } = self.terms;
        let id = OfferId::try_from(self.offers.len()).unwrap_or(OfferId::MAX);
        let unreachable_at = unreachable_timeout.map(|timeout| now.after(timeout));
        let times = OfferTimes { order_id, driver_id, expires_at: now.after(offer_timeout), unreachable_at };
        self.offers.push(Offer { times, end: None, is_delivered: false });
        if let Some(order) = order_mut(&mut self.orders, order_id) {
            (order.status, order.offers) = (OrderStatus::Pending, order.offers + 1);
            order.live.insert(id);
        }
        self.held.entry(driver_id).or_default().insert(id);
        self.deadlines.insert((times.expires_at, Overdue::Expired(id)));
        self.deadlines.extend(unreachable_at.map(|at| (at, Overdue::Unreachable(id))));
        Ok((id, times))
    }

    /// Why this order may not be offered to this driver: invariants 1, 2 and 4, and the cool-down.
    fn against(&self, order_id: OrderId, driver_id: UserId, now: Timestamp) -> Option<&'static str> {
        let Terms { offers_per_driver, offers_per_order, .. } = self.terms;
        let Some(order) = self.order(order_id).filter(|_| self.open.contains(&order_id)) else {
            return Some("nobody looks for a driver for it");
        };
        if self.trips.contains_key(&driver_id) {
            return Some("he drives another order");
        }
        if self.held.get(&driver_id).is_some_and(|held| held.len() >= offers_per_driver) {
            return Some("he holds as many offers as he may");
        }
        if order.live.len() >= offers_per_order {
            return Some("it has as many offers as it may");
        }
        let is_barred = order.barred.iter().any(|(barred, until)| *barred == driver_id && *until > now);
        is_barred.then_some("he was asked in vain a moment ago")
    }

    /// The phone has the offer. `false` when it is not live, or was delivered before.
    pub(crate) fn deliver(&mut self, offer_id: OfferId) -> bool {
        let Some(offer) = self.live_mut(offer_id).filter(|offer| !offer.is_delivered) else { return false };
        offer.is_delivered = true;
        if let Some(at) = offer.times.unreachable_at {
            self.deadlines.remove(&(at, Overdue::Unreachable(offer_id)));
        }
        true
    }

    /// pending → accepted, before the deadline. `None` when the offer is not live any more.
    pub(crate) fn accept(&mut self, offer_id: OfferId, now: Timestamp) -> Option<Accepted> {
        let OfferTimes { order_id, driver_id, .. } =
            self.live_mut(offer_id).filter(|offer| offer.times.expires_at > now)?.times;
        self.close(offer_id, OfferEnd::Accepted);
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
    pub(crate) fn end_offer(&mut self, offer_id: OfferId, end: OfferEnd, now: Timestamp) -> Option<OfferTimes> {
        let times = self.live_mut(offer_id)?.times;
        self.close(offer_id, end);
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
        offer.end.is_none().then_some(offer)
    }

    fn close(&mut self, offer_id: OfferId, end: OfferEnd) {
        let Some(offer) = self.live_mut(offer_id) else { return };
        offer.end = Some(end);
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
        dice::{Dice, Purpose},
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
        assert_eq!(ledger.offer_to(1, B, at(0)).err(), Some("it has as many offers as it may"));
        assert!(ledger.waiting(1).is_none());
        assert_eq!(ledger.create(point(0.0, 0.0).unwrap(), at(0)), 2);
        assert_eq!(ledger.offer_to(2, A, at(0)).err(), Some("he holds as many offers as he may"));
        assert_eq!(ledger.accept(offer, second(29)).unwrap().driver_id, A);
        assert!(ledger.accept(offer, second(29)).is_none());
        assert_eq!(ledger.offer_to(2, A, second(29)).err(), Some("he drives another order"));
        assert_eq!(ledger.offer_to(1, B, second(29)).err(), Some("nobody looks for a driver for it"));
        assert_eq!(ledger.complete(A), Some(1));
        assert!(ledger.offer_to(2, A, second(60)).is_ok());
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
        ledger.end_offer(offer, OfferEnd::Expired, second(30)).unwrap();
        assert_eq!(ledger.offer_to(1, A, second(89)).err(), Some("he was asked in vain a moment ago"));
        let (again, _) = ledger.offer_to(1, A, second(90)).unwrap();
        assert_eq!(ledger.overdue(second(100)), [Overdue::Unreachable(again)], "the offer first, then the search");
        ledger.end_offer(again, OfferEnd::Unreachable, second(100)).unwrap();
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

    /// I1 to I5, from the rows alone.
    fn check(ledger: &Ledger) {
        for (order_id, order) in ledger.orders() {
            let of =
                |end| ledger.offers.iter().filter(move |offer| offer.times.order_id == order_id && offer.end == end);
            let (live, accepted) = (of(None).count(), of(Some(OfferEnd::Accepted)).map(|offer| offer.times.driver_id));
            assert!(live <= ledger.terms.offers_per_order);
            assert_eq!(live > 0, order.status == OrderStatus::Pending);
            assert_eq!(accepted.collect::<Vec<_>>(), order.driver_id.into_iter().collect::<Vec<_>>());
        }
        for driver_id in (1..=4).map(UserId::Int) {
            let live = ledger.offers.iter().filter(|offer| offer.times.driver_id == driver_id && offer.end.is_none());
            let drives =
                |(_, order): &(_, &Order)| order.status == OrderStatus::Accepted && order.driver_id == Some(driver_id);
            let (offers, trips) = (live.count(), ledger.orders().filter(drives).count());
            assert!(offers <= ledger.terms.offers_per_driver && trips <= 1 && (offers == 0 || trips == 0));
        }
    }

    #[test]
    fn whatever_is_tried_the_rows_agree() {
        for offers_per_order in [1, 3] {
            let (mut ledger, mut dice) = (ledger(offers_per_order), Dice::new(1, Purpose::Trips, &[]));
            for step in 0..2_000 {
                let number = |below: u64| i64::try_from(below).unwrap();
                let (now, driver) = (second(step), UserId::Int(1 + number(dice.below(4))));
                let order = 1 + number(dice.below(ledger.orders.len() as u64));
                let offer = number(dice.below(ledger.offers.len() as u64 + 1));
                match dice.below(10) {
                    0 if ledger.orders.len() < 40 => _ = ledger.create(point(0.0, 0.0).unwrap(), now),
                    1 => {
                        let others = ledger.accept(offer, now).map_or(Vec::new(), |accepted| accepted.others);
                        for other in others {
                            ledger.end_offer(other, OfferEnd::Withdrawn, now);
                        }
                    }
                    2 => _ = ledger.end_offer(offer, OfferEnd::Declined, now),
                    3 if dice.below(5) == 0 => _ = ledger.cancel(order),
                    4 => _ = ledger.give_up(order, now),
                    5 => _ = ledger.complete(driver),
                    _ => _ = ledger.offer_to(order, driver, now),
                }
                check(&ledger);
            }
            assert!(ledger.orders().filter(|(_, order)| order.status == OrderStatus::Completed).count() > 3);
        }
    }
}
