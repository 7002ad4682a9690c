//! What `Orders` does in the server, step by step: transitions in the ledger, and the board is told of each.

use std::time::Duration;

use holodrive::dispatch::{Match, Plan};
use holodrive_protocol::{OfferId, OrderId};

use super::{
    Event, World, id,
    ledger::{Accepted, Overdue},
    number,
};
use crate::simulate::outcome::OfferEnd;

/// How soon a driver to whom an offer could not be made is thought of again; the server waits as long.
const REFUSED_FOR: Duration = Duration::from_secs(1);

impl World<'_> {
    /// Plans until there is nothing to do at this moment.
    pub(super) fn dispatch(&mut self) {
        loop {
            let Plan { matches, overdue, wake_at } = self.board.plan(self.now);
            self.wake_at = wake_at;
            let is_done = matches.is_empty() && !overdue;
            for found in matches {
                self.make_offer(&found);
            }
            if overdue && !self.sweep() {
                let now = self.now;
                self.observed
                    .violations
                    .add(|| format!("{now}: the board sees something overdue that nothing can end"));
                self.wake_at = None;
                return;
            }
            if is_done {
                return;
            }
        }
    }

    /// In the server a refusal is nothing: somebody else was faster. Here nobody is, so the board was wrong.
    pub(super) fn make_offer(&mut self, found: &Match) {
        let Match { order_id, driver_id, .. } = *found;
        let offered = match self.unfit(order_id, number(driver_id)) {
            None => self.ledger.offer_to(order_id, driver_id, self.now),
            Some(unfit) => Err(unfit),
        };
        match offered {
            Ok((offer_id, times)) => {
                self.board.offer_made(offer_id, times);
                self.show(offer_id);
            }
            Err(against) => {
                let now = self.now;
                self.observed
                    .violations
                    .add(|| format!("{now}: the board offered order {order_id} to driver {driver_id}: {against}"));
                self.board.offer_refused(found, now.after(REFUSED_FOR));
            }
        }
    }

    /// What the driver himself has against the order, which the database does not know.
    fn unfit(&self, order_id: OrderId, driver: u64) -> Option<&'static str> {
        let Some(driver) = self.drivers.get(&driver).filter(|driver| !driver.is_leaving) else {
            return Some("he is not at work");
        };
        if !driver.is_connected && self.now.since(driver.heard_at) > self.rules.stale_after {
            return Some("he has not been heard of for too long");
        }
        let km = self.trip(order_id).map_or(0.0, |trip| driver.at.distance_km(trip.from));
        (km > self.rules.radius.limit_km).then_some("he is too far away")
    }

    /// Ends what has run out; tells whether anything had.
    fn sweep(&mut self) -> bool {
        let overdue = self.ledger.overdue(self.now);
        for what in &overdue {
            match *what {
                Overdue::Expired(offer_id) => self.end_offer(offer_id, OfferEnd::Expired),
                Overdue::Unreachable(offer_id) => self.end_offer(offer_id, OfferEnd::Unreachable),
                Overdue::Search(order_id) => self.give_up(order_id),
            }
        }
        !overdue.is_empty()
    }

    pub(super) fn accept(&mut self, offer_id: OfferId) {
        let Some(Accepted { order_id, driver_id, others }) = self.ledger.accept(offer_id, self.now) else { return };
        self.board.offer_ended(offer_id);
        self.board.stop_search(order_id);
        self.board.trip_started(driver_id, order_id);
        for other in others {
            self.end_offer(other, OfferEnd::Withdrawn);
        }
        self.drive(order_id, number(driver_id));
    }

    /// To the pickup, and on to the destination.
    fn drive(&mut self, order_id: OrderId, driver: u64) {
        let Some((trip, from)) = self.trip(order_id).zip(self.drivers.get(&driver).map(|driver| driver.at)) else {
            return;
        };
        let approach = self.people.drive(from, trip.from);
        self.observed.accepted(order_id, driver, self.now, from.distance_km(trip.from), approach);
        let ends = self.now.after(approach).after(self.people.ride(trip.from, trip.to));
        self.events.add(ends, Event::Completes(driver));
    }

    pub(super) fn decline(&mut self, offer_id: OfferId) {
        if self.ledger.offer(offer_id).is_some_and(|offer| offer.times.expires_at > self.now) {
            self.end_offer(offer_id, OfferEnd::Declined);
        }
    }

    pub(super) fn cancel(&mut self, order_id: OrderId) {
        let live = self.ledger.order(order_id).map(|order| order.live.clone()).unwrap_or_default();
        for offer_id in live {
            self.withdraw(offer_id, OfferEnd::Withdrawn);
        }
        if self.ledger.cancel(order_id) {
            self.board.stop_search(order_id);
            self.observed.left(order_id, self.now);
        }
    }

    fn give_up(&mut self, order_id: OrderId) {
        if self.ledger.give_up(order_id, self.now) {
            self.board.stop_search(order_id);
            self.observed.no_driver(order_id, self.now);
        }
    }

    fn end_offer(&mut self, offer_id: OfferId, end: OfferEnd) {
        if let Some(order_id) = self.withdraw(offer_id, end) {
            self.search(order_id);
        }
    }

    /// Ends a live offer; gives its order. What comes next is up to the caller.
    fn withdraw(&mut self, offer_id: OfferId, end: OfferEnd) -> Option<OrderId> {
        let times = self.ledger.end_offer(offer_id, end, self.now)?;
        self.board.offer_ended(offer_id);
        if end == OfferEnd::Unreachable {
            self.board.driver_unreachable(id(number(times.driver_id)));
        }
        Some(times.order_id)
    }

    pub(super) fn search(&mut self, order_id: OrderId) {
        if let Some(waiting) = self.ledger.waiting(order_id) {
            self.board.search(waiting);
        }
    }
}
