//! The orders of a round and their drivers, as everybody who asks one after another would see them.

use super::{
    checker::Model,
    order::{By, End, Entry, Order},
    step::{Act, Answer, Driver, ORDERS, Step, Which},
};

/// Live offers that the dispatcher lets a driver have; staff may make more.
pub(crate) const OFFERS_PER_DRIVER: usize = 2;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Round([Order; ORDERS]);

impl Round {
    /// All orders are new, and nobody drives.
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| Order::new()))
    }

    pub(crate) fn order(&self, which: Which) -> &Order {
        &self.0[which]
    }

    /// What a step leaves in the histories of the orders; nothing when it cannot have given this answer.
    pub(crate) fn entries(&self, step: Step) -> Option<Vec<(Which, Entry)>> {
        match step {
            Step::Act(which, act, answer) => {
                let (answered, entries) = self.answer(which, act);
                (answered == answer).then_some(entries)
            }
            Step::Poll { driver, offered, trip } => {
                // What has run out is ended before he is answered.
                let is_swept = self.0.iter().all(|order| order.offered() != Some(driver) || !order.is_overdue());
                let is_so = offered == self.offered_to(driver) && trip == self.trip_of(driver);
                (is_swept && is_so).then(Vec::new)
            }
            Step::Look { order, status, driver } => {
                let is_so = (self.0[order].status(), self.0[order].driver()) == (status, driver);
                is_so.then(Vec::new)
            }
        }
    }

    fn answer(&self, which: Which, act: Act) -> (Answer, Vec<(Which, Entry)>) {
        if let Act::Assign(driver) = act
            && self.0[which].is_open()
            && self.trip_of(driver).is_some()
        {
            return (Answer::DriverBusy, Vec::new());
        }
        let (answer, entries) = self.0[which].answer(act);
        let mut entries: Vec<_> = entries.into_iter().map(|entry| (which, entry)).collect();
        if let [(_, Entry::Accepted(driver))] = entries[..] {
            let others = (0..ORDERS).filter(|other| *other != which && self.0[*other].offered() == Some(driver));
            entries.extend(others.map(|other| (other, Entry::Ended(driver, End::Busy))));
        }
        (answer, entries)
    }

    /// How it stands after this has happened to an order; nothing when that cannot happen.
    pub(crate) fn with(&self, which: Which, entry: Entry) -> Option<Self> {
        let may_be = match entry {
            Entry::Offered(driver, By::Dispatcher) => {
                self.trip_of(driver).is_none() && self.live_offers(driver) < OFFERS_PER_DRIVER
            }
            Entry::Offered(driver, By::Staff) | Entry::Accepted(driver) => self.trip_of(driver).is_none(),
            _ => true,
        };
        let order = self.0[which].after(entry).filter(|_| may_be)?;
        let mut round = self.clone();
        round.0[which] = order;
        Some(round)
    }

    /// The time of an order's offer runs out.
    pub(crate) fn run_out(&self, which: Which) -> Option<Self> {
        let mut round = self.clone();
        round.0[which] = self.0[which].run_out()?;
        Some(round)
    }

    fn trip_of(&self, driver: Driver) -> Option<Which> {
        self.0.iter().position(|order| order.is_driven_by(driver))
    }

    fn offered_to(&self, driver: Driver) -> [bool; ORDERS] {
        std::array::from_fn(|which| self.0[which].may_accept(driver))
    }

    fn live_offers(&self, driver: Driver) -> usize {
        self.0.iter().filter(|order| order.offered() == Some(driver)).count()
    }
}

/// A round in which nothing happens without a call: no dispatcher, and no deadline that comes soon.
pub(crate) struct OnlyPeople;

impl Model for OnlyPeople {
    type State = Round;
    type Step = Step;

    fn start(&self) -> Round {
        Round::new()
    }

    fn is_read(step: &Step) -> bool {
        step.is_read()
    }

    fn after(&self, round: &Round, step: &Step) -> Option<Round> {
        round.entries(*step)?.into_iter().try_fold(round.clone(), |round, (which, entry)| round.with(which, entry))
    }
}

#[cfg(test)]
mod tests;
