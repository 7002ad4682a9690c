//! What people ask of the orders of a round, and what they are told.

use holodrive_protocol::{OrderStatus, socket::OfferExpiredReason};

pub(crate) const DRIVERS: usize = 3;
/// Orders of a round: everybody asks about all of them.
pub(crate) const ORDERS: usize = 3;

/// A driver, by his number.
pub(crate) type Driver = usize;
/// An order of the round, by its number.
pub(crate) type Which = usize;

/// What somebody does to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// Staff have it offered to a driver.
    Assign(Driver),
    Accept(Driver),
    Decline(Driver),
    Release(Driver),
    Arrive(Driver),
    Start(Driver),
    Complete(Driver),
    /// The rider wants it no more.
    Cancel,
}

/// What an act is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Done,
    OfferExpired(OfferExpiredReason),
    InvalidTransition,
    DriverBusy,
    NotFound,
}

/// What somebody is about to ask.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Call {
    Act(Which, Act),
    /// A driver asks for his orders.
    Poll(Driver),
    /// Staff look at an order.
    Look(Which),
}

/// A call, and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Act(Which, Act, Answer),
    /// Which orders the driver may accept, and which one he drives.
    Poll {
        driver: Driver,
        offered: [bool; ORDERS],
        trip: Option<Which>,
    },
    Look {
        order: Which,
        status: OrderStatus,
        driver: Option<Driver>,
    },
}

impl Step {
    /// Whether it changes no order; what is done may do so, even where it was done before.
    pub(crate) fn is_read(&self) -> bool {
        !matches!(self, Self::Act(_, _, Answer::Done))
    }
}
