//! What drivers do, and what the board hears of it.

use holodrive::dispatch::Point;
use holodrive_protocol::{OfferId, Timestamp, http::DriverStatus};

use super::{Event, World, drivers::Driver, id, number};
use crate::simulate::people::Answer;

impl World<'_> {
    pub(super) fn comes_to_work(&mut self, driver: u64) {
        let at = self.scenario.start(driver);
        self.drivers.insert(driver, Driver { is_connected: true, ..Driver::new(at, self.now) });
        self.board.driver_connected(id(driver));
        self.board.driver_moved(id(driver), self.position(at));
        self.board.driver_status(id(driver), Some(DriverStatus::Online), Some(self.now));
    }

    pub(super) fn goes_home(&mut self, driver: u64) {
        let is_driving = self.ledger.trips.contains_key(&id(driver));
        let Some(leaving) = self.drivers.get_mut(&driver) else { return };
        leaving.is_leaving = true;
        self.board.driver_status(id(driver), Some(DriverStatus::Offline), Some(self.now));
        if !is_driving && std::mem::take(&mut leaving.is_connected) {
            self.board.driver_disconnected(id(driver), self.now);
        }
    }

    pub(super) fn loses_network(&mut self, driver: u64, until: Timestamp) {
        let now = self.now;
        let Some(lost) = self.drivers.get_mut(&driver) else { return };
        lost.dark_until = lost.dark_until.max(until);
        lost.heard_at = now;
        if std::mem::take(&mut lost.is_connected) {
            self.board.driver_disconnected(id(driver), now);
        }
    }

    /// He is heard of again. Live offers that his phone did not get come now: over the socket, if that is still open, and
    /// otherwise as soon as he has a new one.
    pub(super) fn has_network(&mut self, driver: u64) {
        let now = self.now;
        let Some(back) = self.drivers.get_mut(&driver).filter(|back| !back.is_dark(now)) else { return };
        back.heard_at = now;
        let (at, comes_back) = (back.at, !back.is_connected && !back.is_leaving);
        if comes_back {
            back.is_connected = true;
            self.board.driver_connected(id(driver));
        }
        self.board.driver_moved(id(driver), self.position(at));
        for offer_id in self.ledger.held_by(id(driver)) {
            self.show(offer_id);
        }
    }

    /// At the destination: he tells where he is, and that he is done.
    pub(super) fn completes(&mut self, driver: u64) {
        let now = self.now;
        let Some(free) = self.drivers.get_mut(&driver) else { return };
        if free.is_dark(now) {
            return self.events.add(free.dark_until, Event::Completes(driver));
        }
        let is_leaving = free.is_leaving;
        let Some(order_id) = self.ledger.complete(id(driver)) else { return };
        self.observed.completed(driver, now);
        if let Some(trip) = self.scenario.trip(order_id) {
            self.move_to(driver, trip.to);
        }
        self.board.trip_ended(id(driver));
        if is_leaving {
            self.goes_home(driver);
        }
    }

    fn move_to(&mut self, driver: u64, at: Point) {
        if let Some(moved) = self.drivers.get_mut(&driver) {
            (moved.at, moved.heard_at) = (at, self.now);
        }
        self.board.driver_moved(id(driver), self.position(at));
    }

    /// If the phone can be reached, it shows an offer that it has not shown before, and the driver makes up his mind.
    pub(super) fn show(&mut self, offer_id: OfferId) {
        let Some(offer) = self.ledger.offer(offer_id).filter(|offer| !offer.is_delivered) else { return };
        let (driver, order) = (number(offer.times.driver_id), offer.times.order_id.unsigned_abs());
        if self.drivers.get(&driver).is_none_or(|driver| !driver.is_connected || driver.is_dark(self.now)) {
            return;
        }
        let time = self.asked.entry((driver, order)).or_default();
        *time += 1;
        let answer = self.people.answer(self.scenario.seed, driver, order, *time, self.mood);
        if answer == Answer::Unreachable {
            return self.goes_dark(driver);
        }
        if self.ledger.deliver(offer_id) {
            self.board.offer_delivered(offer_id);
        }
        match answer {
            Answer::Accept(after) => self.events.add(self.now.after(after), Event::Accepts(offer_id)),
            Answer::Decline(after) => self.events.add(self.now.after(after), Event::Declines(offer_id)),
            Answer::Silence | Answer::Unreachable => {}
        }
    }

    /// Nothing gets to his phone for a while, and nobody knows.
    pub(super) fn goes_dark(&mut self, driver: u64) {
        let until = self.now.after(self.people.unreachable_for());
        if let Some(dark) = self.drivers.get_mut(&driver) {
            dark.dark_until = dark.dark_until.max(until);
            self.events.add(dark.dark_until, Event::HasNetwork(driver));
        }
    }

    /// An answer gets to the server as soon as there is a network.
    pub(super) fn answers(&mut self, offer_id: OfferId, event: Event) {
        let Some(offer) = self.ledger.offer(offer_id) else { return };
        let dark_until = self.drivers.get(&number(offer.times.driver_id)).map(|driver| driver.dark_until);
        match (dark_until.filter(|until| *until > self.now), event) {
            (Some(until), _) => self.events.add(until, event),
            (None, Event::Accepts(_)) => self.accept(offer_id),
            (None, _) => self.decline(offer_id),
        }
    }
}
