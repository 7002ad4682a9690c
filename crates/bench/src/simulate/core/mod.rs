//! The dispatch core alone, in simulated time: the board is driven as the server's dispatcher drives it, the ledger is its
//! database, and the people are the same as those who use the real server.

mod behaviour;
mod dispatching;
mod drivers;
mod invariants;
mod ledger;
mod observed;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use holodrive::{
    config::Config,
    dispatch::{Board, Point, Position, Rules},
};
use holodrive_protocol::{OfferId, OrderId, Timestamp, UserId};

use drivers::{Driver, Shift, shifts};
use ledger::{Ledger, Terms};
use observed::Observed;

use super::{
    demand::Trip,
    events::Events,
    outcome::Outcome,
    people::{Mood, People},
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
    rules: Rules,
    board: Board,
    wake_at: Option<Timestamp>,
    ledger: Ledger,
    drivers: BTreeMap<u64, Driver>,
    /// How often a driver was asked for an order.
    asked: HashMap<(u64, u64), u64>,
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
            rules,
            board: Board::new(rules),
            wake_at: None,
            ledger: Ledger::new(Terms::new(config, &rules)),
            drivers: BTreeMap::new(),
            asked: HashMap::new(),
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
            Event::Accepts(offer_id) | Event::Declines(offer_id) => self.answers(offer_id, event),
            Event::Completes(driver) => self.completes(driver),
        }
    }

    fn orders(&mut self, order_id: OrderId) {
        let Some(trip) = self.trip(order_id) else { return };
        self.ledger.create(trip.from, self.now);
        let patience = self.people.patience(self.scenario.seed, order_id.unsigned_abs());
        self.events.add(self.now.after(patience), Event::LosesPatience(order_id));
        self.search(order_id);
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
