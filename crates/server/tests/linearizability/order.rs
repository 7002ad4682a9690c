//! An order as everybody who asks one after another would see it.

use holodrive_protocol::{OrderStatus, socket::OfferExpiredReason};

use super::checker::Model;

pub(crate) const DRIVERS: usize = 3;

/// A driver, by his number.
pub(crate) type Driver = usize;

/// A call, and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Staff have it offered to a driver.
    Assign(Driver, Answer),
    Accept(Driver, Answer),
    Decline(Driver, Answer),
    Release(Driver, Answer),
    Arrive(Driver, Answer),
    Start(Driver, Answer),
    Complete(Driver, Answer),
    Cancel(Answer),
    /// A driver asks for his orders: whether it is among those that he may accept, and whether he drives it.
    Poll(Driver, bool, bool),
    /// Somebody looks at it.
    Look(OrderStatus, Option<Driver>),
}

/// What a call is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    OfferExpired(OfferExpiredReason),
    InvalidTransition,
    DriverBusy,
    NotFound,
}

/// What may happen without a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Alone {
    /// Nothing: no dispatcher, no deadline that comes soon, no other order.
    Nothing,
    /// The dispatcher offers it, an offer runs out, and a driver takes another order.
    Anything,
}

/// What a driver's last offer of it came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Last {
    Never,
    Live,
    Over,
    Reassigned,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Order {
    status: OrderStatus,
    driver: Option<Driver>,
    /// Who may accept it.
    offered: Option<Driver>,
    /// His time is over, and nobody has noticed yet.
    is_overdue: bool,
    /// Who gave it back is not asked again by the dispatcher.
    gave_back: [bool; DRIVERS],
    last: [Last; DRIVERS],
    alone: Alone,
}

impl Order {
    /// As it is made.
    pub(crate) fn new(alone: Alone) -> Self {
        let (gave_back, last) = ([false; DRIVERS], [Last::Never; DRIVERS]);
        let (status, driver, offered) = (OrderStatus::Searching, None, None);
        Self { status, driver, offered, is_overdue: false, gave_back, last, alone }
    }

    fn offer(mut self, driver: Driver) -> Self {
        (self.status, self.offered, self.is_overdue) = (OrderStatus::Pending, Some(driver), false);
        self.last[driver] = Last::Live;
        self
    }

    /// The live offer ends, and the order searches again.
    fn end_offer(mut self, last: Last) -> Self {
        if let Some(driver) = self.offered.take() {
            self.last[driver] = last;
        }
        (self.status, self.is_overdue) = (OrderStatus::Searching, false);
        self
    }

    fn may_accept(&self, driver: Driver) -> bool {
        self.offered == Some(driver) && !self.is_overdue
    }

    fn is_open(&self) -> bool {
        matches!(self.status, OrderStatus::Searching | OrderStatus::Pending)
    }

    /// Why a driver cannot accept or decline it.
    fn why_not(&self, driver: Driver) -> OfferExpiredReason {
        match self.last[driver] {
            Last::Never => OfferExpiredReason::NotOffered,
            _ if self.status == OrderStatus::Cancelled => OfferExpiredReason::Cancelled,
            _ if self.driver.is_some_and(|other| other != driver) => OfferExpiredReason::Taken,
            Last::Reassigned => OfferExpiredReason::Reassigned,
            Last::Live | Last::Over => OfferExpiredReason::Expired,
        }
    }

    /// Every way in which it may stand a moment later, though nobody has called.
    fn moments(&self) -> Vec<Self> {
        let mut moments = vec![self.clone()];
        let mut next = 0;
        while self.alone == Alone::Anything && next < moments.len() {
            for later in moments[next].changes() {
                if !moments.contains(&later) {
                    moments.push(later);
                }
            }
            next += 1;
        }
        moments
    }

    fn changes(&self) -> Vec<Self> {
        match self.status {
            OrderStatus::Searching => {
                let askable = (0..DRIVERS).filter(|driver| !self.gave_back[*driver]);
                askable.map(|driver| self.clone().offer(driver)).collect()
            }
            OrderStatus::Pending => {
                vec![Self { is_overdue: true, ..self.clone() }, self.clone().end_offer(Last::Over)]
            }
            _ => Vec::new(),
        }
    }

    /// The answer to a step, and how the order stands then.
    fn take(self, step: Step) -> (Step, Self) {
        match step {
            Step::Assign(driver, _) => {
                let (answer, order) = self.assign(driver);
                (Step::Assign(driver, answer), order)
            }
            Step::Accept(driver, _) => {
                let (answer, order) = self.accept(driver);
                (Step::Accept(driver, answer), order)
            }
            Step::Decline(driver, _) if self.may_accept(driver) => {
                (Step::Decline(driver, Answer::Done), self.end_offer(Last::Over))
            }
            Step::Decline(driver, _) => (Step::Decline(driver, Answer::OfferExpired(self.why_not(driver))), self),
            Step::Release(driver, _) => {
                let (answer, order) = self.release(driver);
                (Step::Release(driver, answer), order)
            }
            Step::Arrive(driver, _) => {
                let (answer, order) = self.go_on(driver, OrderStatus::Accepted, OrderStatus::Arrived);
                (Step::Arrive(driver, answer), order)
            }
            Step::Start(driver, _) => {
                let (answer, order) = self.go_on(driver, OrderStatus::Arrived, OrderStatus::InProgress);
                (Step::Start(driver, answer), order)
            }
            Step::Complete(driver, _) => {
                let (answer, order) = self.go_on(driver, OrderStatus::InProgress, OrderStatus::Completed);
                (Step::Complete(driver, answer), order)
            }
            Step::Cancel(_) => {
                let (answer, order) = self.cancel();
                (Step::Cancel(answer), order)
            }
            Step::Poll(driver, ..) => {
                // What has run out is ended before he is answered.
                let is_over = self.offered == Some(driver) && self.is_overdue;
                let order = if is_over { self.end_offer(Last::Over) } else { self };
                let is_his = order.is_trip() && order.driver == Some(driver);
                (Step::Poll(driver, order.may_accept(driver), is_his), order)
            }
            Step::Look(..) => (Step::Look(self.status, self.driver), self),
        }
    }

    fn is_trip(&self) -> bool {
        matches!(self.status, OrderStatus::Accepted | OrderStatus::Arrived | OrderStatus::InProgress)
    }

    fn assign(self, driver: Driver) -> (Answer, Self) {
        if !self.is_open() {
            return (Answer::InvalidTransition, self);
        }
        if self.may_accept(driver) {
            return (Answer::Done, self);
        }
        let last = if self.is_overdue { Last::Over } else { Last::Reassigned };
        (Answer::Done, self.end_offer(last).offer(driver))
    }

    fn accept(mut self, driver: Driver) -> (Answer, Self) {
        if self.may_accept(driver) {
            (self.status, self.driver, self.offered) = (OrderStatus::Accepted, Some(driver), None);
            self.last[driver] = Last::Over;
            return (Answer::Done, self);
        }
        if self.driver == Some(driver) && self.status != OrderStatus::Cancelled {
            return (Answer::Done, self);
        }
        (Answer::OfferExpired(self.why_not(driver)), self)
    }

    fn release(mut self, driver: Driver) -> (Answer, Self) {
        if self.driver != Some(driver) {
            return (Answer::NotFound, self);
        }
        if !matches!(self.status, OrderStatus::Accepted | OrderStatus::Arrived) {
            return (Answer::InvalidTransition, self);
        }
        (self.status, self.driver) = (OrderStatus::Searching, None);
        self.gave_back[driver] = true;
        (Answer::Done, self)
    }

    fn go_on(self, driver: Driver, from: OrderStatus, to: OrderStatus) -> (Answer, Self) {
        if self.driver != Some(driver) {
            (Answer::NotFound, self)
        } else if self.status == from {
            (Answer::Done, Self { status: to, ..self })
        } else {
            (Answer::InvalidTransition, self)
        }
    }

    fn cancel(self) -> (Answer, Self) {
        if !(self.is_open() || matches!(self.status, OrderStatus::Accepted | OrderStatus::Arrived)) {
            return (Answer::InvalidTransition, self);
        }
        let order = if self.offered.is_some() { self.end_offer(Last::Over) } else { self };
        (Answer::Done, Self { status: OrderStatus::Cancelled, ..order })
    }

    /// A driver who drives another order cannot be assigned.
    fn is_refused_for_another_order(&self, step: Step) -> bool {
        self.alone == Alone::Anything && self.is_open() && matches!(step, Step::Assign(_, Answer::DriverBusy))
    }
}

impl Model for Order {
    type Step = Step;

    fn after(&self, step: &Step) -> Vec<Self> {
        let mut after = Vec::new();
        for moment in self.moments() {
            if moment.is_refused_for_another_order(*step) {
                after.push(moment);
                continue;
            }
            let (answered, order) = moment.take(*step);
            if answered == *step {
                after.push(order);
            }
        }
        after
    }
}

#[cfg(test)]
mod tests;
