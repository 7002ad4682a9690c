//! One order, as everybody who asks one after another would see it.

use holodrive_protocol::{OrderStatus, socket::OfferExpiredReason};

use super::step::{Act, Answer, DRIVERS, Driver};

/// What happens to an order, as its history tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Offered(Driver, By),
    Accepted(Driver),
    /// The driver's offer ends without him.
    Ended(Driver, End),
    Arrived(Driver),
    Started(Driver),
    Completed(Driver),
    Released(Driver),
    Cancelled,
}

/// Who offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Dispatcher,
    Staff,
}

/// Why an offer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Declined,
    Expired,
    Reassigned,
    Cancelled,
    /// He has taken another order.
    Busy,
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
}

impl Order {
    /// As it is made.
    pub(crate) fn new() -> Self {
        let (gave_back, last) = ([false; DRIVERS], [Last::Never; DRIVERS]);
        Self { status: OrderStatus::Searching, driver: None, offered: None, is_overdue: false, gave_back, last }
    }

    pub(crate) fn status(&self) -> OrderStatus {
        self.status
    }

    /// Who drives it, or drove it to its end.
    pub(crate) fn driver(&self) -> Option<Driver> {
        self.driver
    }

    /// Whose offer has not ended; it may be overdue.
    pub(crate) fn offered(&self) -> Option<Driver> {
        self.offered
    }

    pub(crate) fn is_overdue(&self) -> bool {
        self.is_overdue
    }

    pub(crate) fn may_accept(&self, driver: Driver) -> bool {
        self.offered == Some(driver) && !self.is_overdue
    }

    /// Whether nobody has it yet.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.status, OrderStatus::Searching | OrderStatus::Pending)
    }

    pub(crate) fn is_driven_by(&self, driver: Driver) -> bool {
        let is_trip = matches!(self.status, OrderStatus::Accepted | OrderStatus::Arrived | OrderStatus::InProgress);
        is_trip && self.driver == Some(driver)
    }

    /// The time of its offer runs out; nothing when there is none, or has been before.
    pub(crate) fn run_out(&self) -> Option<Self> {
        (self.offered.is_some() && !self.is_overdue).then(|| Self { is_overdue: true, ..self.clone() })
    }

    /// What an act is told, and what it does to this order; the drivers' other orders do not count.
    pub(crate) fn answer(&self, act: Act) -> (Answer, Vec<Entry>) {
        match act {
            Act::Assign(driver) => self.assign(driver),
            Act::Accept(driver) if self.may_accept(driver) => (Answer::Done, vec![Entry::Accepted(driver)]),
            Act::Accept(driver) if self.driver == Some(driver) && self.status != OrderStatus::Cancelled => {
                (Answer::Done, Vec::new())
            }
            Act::Decline(driver) if self.may_accept(driver) => {
                (Answer::Done, vec![Entry::Ended(driver, End::Declined)])
            }
            Act::Accept(driver) | Act::Decline(driver) => (Answer::OfferExpired(self.why_not(driver)), Vec::new()),
            Act::Release(driver) => self.go_on(driver, Entry::Released(driver)),
            Act::Arrive(driver) => self.go_on(driver, Entry::Arrived(driver)),
            Act::Start(driver) => self.go_on(driver, Entry::Started(driver)),
            Act::Complete(driver) => self.go_on(driver, Entry::Completed(driver)),
            Act::Cancel => self.cancel(),
        }
    }

    fn assign(&self, driver: Driver) -> (Answer, Vec<Entry>) {
        if !self.is_open() {
            return (Answer::InvalidTransition, Vec::new());
        }
        if self.may_accept(driver) {
            return (Answer::Done, Vec::new());
        }
        let end = if self.is_overdue { End::Expired } else { End::Reassigned };
        let ended = self.offered.map(|before| Entry::Ended(before, end));
        (Answer::Done, ended.into_iter().chain([Entry::Offered(driver, By::Staff)]).collect())
    }

    fn go_on(&self, driver: Driver, entry: Entry) -> (Answer, Vec<Entry>) {
        if self.driver != Some(driver) {
            (Answer::NotFound, Vec::new())
        } else if self.after(entry).is_some() {
            (Answer::Done, vec![entry])
        } else {
            (Answer::InvalidTransition, Vec::new())
        }
    }

    fn cancel(&self) -> (Answer, Vec<Entry>) {
        if !self.is_open() && self.after(Entry::Cancelled).is_none() {
            return (Answer::InvalidTransition, Vec::new());
        }
        let ended = self.offered.map(|driver| Entry::Ended(driver, End::Cancelled));
        (Answer::Done, ended.into_iter().chain([Entry::Cancelled]).collect())
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

    /// How it stands after this has happened to it; nothing when that cannot happen.
    pub(crate) fn after(&self, entry: Entry) -> Option<Self> {
        use OrderStatus::{Accepted, Arrived, Cancelled, Completed, InProgress, Searching};
        match entry {
            Entry::Offered(driver, by) => self.offer(driver, by),
            Entry::Accepted(driver) => self.accept(driver),
            Entry::Ended(driver, end) => self.end_offer(driver, end),
            Entry::Arrived(driver) => self.step(driver, &[Accepted], Arrived),
            Entry::Started(driver) => self.step(driver, &[Arrived], InProgress),
            Entry::Completed(driver) => self.step(driver, &[InProgress], Completed),
            Entry::Released(driver) => {
                self.step(driver, &[Accepted, Arrived], Searching).map(|order| order.lose(driver))
            }
            Entry::Cancelled => {
                let may_be = matches!(self.status, Searching | Accepted | Arrived);
                may_be.then(|| Self { status: Cancelled, ..self.clone() })
            }
        }
    }

    fn offer(&self, driver: Driver, by: By) -> Option<Self> {
        if self.status != OrderStatus::Searching || by == By::Dispatcher && self.gave_back[driver] {
            return None;
        }
        let mut order = Self { status: OrderStatus::Pending, offered: Some(driver), ..self.clone() };
        order.last[driver] = Last::Live;
        Some(order)
    }

    fn accept(&self, driver: Driver) -> Option<Self> {
        if !self.may_accept(driver) {
            return None;
        }
        let mut order = Self { status: OrderStatus::Accepted, driver: Some(driver), offered: None, ..self.clone() };
        order.last[driver] = Last::Over;
        Some(order)
    }

    /// Only what is in time is declined or given to another, and only what is not runs out.
    fn end_offer(&self, driver: Driver, end: End) -> Option<Self> {
        let is_its_time = match end {
            End::Declined | End::Reassigned => !self.is_overdue,
            End::Expired => self.is_overdue,
            End::Cancelled | End::Busy => true,
        };
        if self.offered != Some(driver) || !is_its_time {
            return None;
        }
        let mut order = Self { status: OrderStatus::Searching, offered: None, is_overdue: false, ..self.clone() };
        order.last[driver] = if end == End::Reassigned { Last::Reassigned } else { Last::Over };
        Some(order)
    }

    fn step(&self, driver: Driver, from: &[OrderStatus], to: OrderStatus) -> Option<Self> {
        let may_be = self.driver == Some(driver) && from.contains(&self.status);
        may_be.then(|| Self { status: to, ..self.clone() })
    }

    fn lose(mut self, driver: Driver) -> Self {
        self.driver = None;
        self.gave_back[driver] = true;
        self
    }
}
