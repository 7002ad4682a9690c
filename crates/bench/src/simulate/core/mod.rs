//! The dispatch core alone, in simulated time: the board is driven as the server's dispatcher drives it, the ledger is its
//! database, and the people are the same as those who use the real server.

mod dispatching;
mod drivers;
mod invariants;
mod ledger;
mod observed;

use std::{collections::BTreeMap, time::Duration};

use holodrive::{
    config::Config,
    dispatch::{Board, Point, Position, Rules},
};
use holodrive_protocol::{OfferId, OrderId, Timestamp, UserId, http::DriverStatus};

use drivers::{Driver, Shift, shifts};
use ledger::{Ledger, Terms};
use observed::Observed;

use super::{
    demand::Trip,
    events::Events,
    outcome::Outcome,
    people::{Answer, Mood, People},
    scenario::Scenario,
};

/// What is going to happen.
#[derive(Clone, Copy, Debug)]
enum Event {
    ComesToWork(u64),
    GoesHome(u64),
    LosesNetwork { driver: u64, until: Timestamp },
    HasNetwork(u64),
    Orders(OrderId),
    LosesPatience(OrderId),
    Accepts(OfferId),
    Declines(OfferId),
    Completes(u64),
}

/// The city while it runs.
pub(crate) struct World<'s> {
    scenario: &'s Scenario,
    people: &'s People,
    mood: Mood,
    now: Timestamp,
    events: Events<Event>,
    board: Board,
    wake_at: Option<Timestamp>,
    ledger: Ledger,
    drivers: BTreeMap<u64, Driver>,
    observed: Observed,
}

/// Runs a scenario from the first order to the end of the last trip.
pub(crate) fn run(scenario: &Scenario, people: &People, config: &Config, mood: Mood) -> Outcome {
    let mut world = World::new(scenario, people, config, mood);
    while world.step() {}
    world.end()
}

impl<'s> World<'s> {
    fn new(scenario: &'s Scenario, people: &'s People, config: &Config, mood: Mood) -> Self {
        let rules = Rules::from(config);
        let mut world = Self {
            scenario,
            people,
            mood,
            now: scenario.begins,
            events: Events::default(),
            board: Board::new(rules),
            wake_at: None,
            ledger: Ledger::new(Terms::new(config, &rules)),
            drivers: BTreeMap::new(),
            observed: Observed::new(scenario),
        };
        for shift in shifts(scenario, people) {
            world.schedule(&shift);
        }
        for (id, trip) in (1..).zip(&scenario.trips) {
            world.events.add(trip.requested_at, Event::Orders(id));
        }
        world
    }

    fn schedule(&mut self, shift: &Shift) {
        let Shift { driver, begins, ends } = *shift;
        self.events.add(begins, Event::ComesToWork(driver));
        let until = ends.unwrap_or(self.scenario.ends);
        for (lost, back) in self.people.outages(self.scenario.seed, driver, begins, until) {
            self.events.add(lost, Event::LosesNetwork { driver, until: back });
            self.events.add(back, Event::HasNetwork(driver));
        }
        if let Some(ends) = ends {
            self.events.add(ends, Event::GoesHome(driver));
        }
    }

    /// Goes on to the next moment at which something happens; `false` when nothing does any more.
    fn step(&mut self) -> bool {
        let Some(next) = self.events.next_at().into_iter().chain(self.wake_at).min() else { return false };
        self.now = self.now.max(next);
        if let Some(event) = self.events.due(self.now) {
            self.happen(event);
        }
        self.dispatch();
        invariants::check(&self.ledger, &self.board, self.now, &mut self.observed.violations);
        true
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::ComesToWork(driver) => self.comes_to_work(driver),
            Event::GoesHome(driver) => self.goes_home(driver),
            Event::LosesNetwork { driver, until } => self.loses_network(driver, until),
            Event::HasNetwork(driver) => self.has_network(driver),
            Event::Orders(order_id) => self.orders(order_id),
            Event::LosesPatience(order_id) => self.cancel(order_id),
            Event::Accepts(offer_id) => self.answers(offer_id, event),
            Event::Declines(offer_id) => self.answers(offer_id, event),
            Event::Completes(driver) => self.completes(driver),
        }
    }

    fn comes_to_work(&mut self, driver: u64) {
        let at = self.scenario.start(driver);
        self.drivers.insert(driver, Driver { is_connected: true, ..Driver::new(at, self.now) });
        self.board.driver_connected(id(driver));
        self.board.driver_moved(id(driver), self.position(at));
        self.board.driver_status(id(driver), Some(DriverStatus::Online), Some(self.now));
    }

    fn goes_home(&mut self, driver: u64) {
        let is_driving = self.ledger.trips.contains_key(&id(driver));
        let Some(leaving) = self.drivers.get_mut(&driver) else { return };
        leaving.is_leaving = true;
        self.board.driver_status(id(driver), Some(DriverStatus::Offline), Some(self.now));
        if !is_driving && std::mem::take(&mut leaving.is_connected) {
            self.board.driver_disconnected(id(driver), self.now);
        }
    }

    fn loses_network(&mut self, driver: u64, until: Timestamp) {
        let now = self.now;
        let Some(lost) = self.drivers.get_mut(&driver) else { return };
        lost.dark_until = lost.dark_until.max(until);
        if std::mem::take(&mut lost.is_connected) {
            self.board.driver_disconnected(id(driver), now);
        }
    }

    /// He is heard of again. Who connects anew is shown the offers that are still live.
    fn has_network(&mut self, driver: u64) {
        let now = self.now;
        let Some(back) = self.drivers.get_mut(&driver).filter(|back| !back.is_dark(now)) else { return };
        let (at, was_connected) = (back.at, back.is_connected);
        if !was_connected && !back.is_leaving {
            back.is_connected = true;
            self.board.driver_connected(id(driver));
            for offer_id in self.ledger.held_by(id(driver)) {
                self.show(offer_id);
            }
        }
        self.board.driver_moved(id(driver), self.position(at));
    }

    fn orders(&mut self, order_id: OrderId) {
        let Some(trip) = self.trip(order_id) else { return };
        self.ledger.create(trip.from, self.now);
        let patience = self.people.patience(self.scenario.seed, order_id.unsigned_abs());
        self.events.add(self.now.after(patience), Event::LosesPatience(order_id));
        self.search(order_id);
    }

    /// The phone shows the offer, and the driver makes up his mind.
    fn show(&mut self, offer_id: OfferId) {
        let Some(offer) = self.ledger.send(offer_id) else { return };
        let (driver, order) = (number(offer.times.driver_id), offer.times.order_id.unsigned_abs());
        let answer = self.people.answer(self.scenario.seed, driver, order, offer.time, self.mood);
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
    fn goes_dark(&mut self, driver: u64) {
        let until = self.now.after(self.people.unreachable_for());
        if let Some(dark) = self.drivers.get_mut(&driver) {
            dark.dark_until = dark.dark_until.max(until);
            self.events.add(dark.dark_until, Event::HasNetwork(driver));
        }
    }

    /// An answer gets to the server as soon as there is a network.
    fn answers(&mut self, offer_id: OfferId, event: Event) {
        let Some(offer) = self.ledger.offer(offer_id) else { return };
        let dark_until = self.drivers.get(&number(offer.times.driver_id)).map(|driver| driver.dark_until);
        match (dark_until.filter(|until| *until > self.now), event) {
            (Some(until), _) => self.events.add(until, event),
            (None, Event::Accepts(_)) => self.accept(offer_id),
            (None, _) => self.decline(offer_id),
        }
    }

    /// At the destination: he tells where he is, and that he is done.
    fn completes(&mut self, driver: u64) {
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
            moved.at = at;
        }
        self.board.driver_moved(id(driver), self.position(at));
    }

    const fn position(&self, point: Point) -> Position {
        Position { point, at: self.now }
    }

    fn trip(&self, order_id: OrderId) -> Option<Trip> {
        self.scenario.trip(order_id)
    }

    fn end(mut self) -> Outcome {
        invariants::check_end(&self.ledger, &mut self.observed.violations);
        let simulated: Duration = self.now.since(self.scenario.begins);
        self.observed.outcome(self.scenario, &self.ledger, simulated)
    }
}

const fn id(driver: u64) -> UserId {
    UserId::Int(driver.cast_signed())
}

const fn number(driver_id: UserId) -> u64 {
    match driver_id {
        UserId::Int(number) => number.unsigned_abs(),
        UserId::Uuid(_) => 0,
    }
}
