//! A round held against what the server wrote down: nothing happens but what the histories of its orders tell, in the order
//! of their times, and everything that they tell has happened.

use std::time::Duration;

use holodrive_protocol::{OrderEvent, Timestamp, UserId};
use serde_json::Value;

use super::{
    checker::Model,
    order::{By, End, Entry},
    round::Round,
    step::{Driver, ORDERS, Step, Which},
};

/// How long the dispatcher does not ask a driver again.
pub(crate) const REOFFER_AFTER: Duration = Duration::from_millis(20);

/// An entry of a history.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    pub(crate) at: Timestamp,
    pub(crate) entry: Entry,
    /// Until when what is offered here may be accepted.
    pub(crate) expires_at: Option<Timestamp>,
}

/// The histories of the orders of a round.
#[derive(Clone, Debug)]
pub(crate) struct Record(pub(crate) [Vec<Written>; ORDERS]);

/// How far the histories are told, and how the orders stand.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Told {
    round: Round,
    entries: [usize; ORDERS],
}

impl Record {
    fn next(&self, told: &Told, which: Which) -> Option<Written> {
        self.0[which].get(told.entries[which]).copied()
    }

    /// When the next entry of all was written; nothing when all are told.
    fn next_at(&self, told: &Told) -> Option<Timestamp> {
        (0..ORDERS).filter_map(|which| self.next(told, which)).map(|written| written.at).min()
    }

    /// Until when the live offer of an order may be accepted.
    fn deadline(&self, told: &Told, which: Which) -> Option<Timestamp> {
        let told_entries = &self.0[which][..told.entries[which]];
        told.round.order(which).offered().and(told_entries.iter().rev().find_map(|written| written.expires_at))
    }

    /// An offer of the dispatcher to somebody whose last one ended too short a time ago.
    fn is_too_soon(&self, told: &Told, which: Which, written: Written) -> bool {
        let Entry::Offered(driver, By::Dispatcher) = written.entry else { return false };
        let is_end = |written: &&Written| matches!(written.entry, Entry::Ended(whose, _) if whose == driver);
        let last = self.0[which][..told.entries[which]].iter().rfind(is_end);
        last.is_some_and(|last| written.at < last.at.after(REOFFER_AFTER))
    }

    /// Tells the next entry of an order's history, which must be this one, and must come before those of the other orders.
    fn tell(&self, told: &Told, which: Which, entry: Entry) -> Option<Told> {
        let next = self.next(told, which).filter(|next| next.entry == entry && Some(next.at) == self.next_at(told))?;
        if self.is_too_soon(told, which, next) {
            return None;
        }
        let on_time = (0..ORDERS).fold(told.clone(), |told, which| self.run_out(&told, which).unwrap_or(told));
        let mut told = Told { round: on_time.round.with(which, entry)?, ..on_time };
        told.entries[which] += 1;
        Some(told)
    }

    /// The offer of an order runs out: nothing is untold that was written before its deadline.
    fn run_out(&self, told: &Told, which: Which) -> Option<Told> {
        let deadline = self.deadline(told, which)?;
        let is_over = self.next_at(told).is_none_or(|next_at| deadline <= next_at);
        let round = told.round.run_out(which).filter(|_| is_over)?;
        Some(Told { round, ..told.clone() })
    }

    /// What the dispatcher and the deadlines did next to an order.
    fn tell_alone(&self, told: &Told, which: Which) -> Option<Told> {
        let entry = self.next(told, which)?.entry;
        let is_alone = matches!(entry, Entry::Offered(_, By::Dispatcher) | Entry::Ended(_, End::Expired));
        is_alone.then(|| self.tell(told, which, entry)).flatten()
    }
}

impl Model for Record {
    type State = Told;
    type Step = Step;

    fn start(&self) -> Told {
        Told { round: Round::new(), entries: [0; ORDERS] }
    }

    fn is_read(step: &Step) -> bool {
        step.is_read()
    }

    fn after(&self, told: &Told, step: &Step) -> Option<Told> {
        let entries = told.round.entries(*step)?;
        entries.into_iter().try_fold(told.clone(), |told, (which, entry)| self.tell(&told, which, entry))
    }

    fn alone(&self, told: &Told) -> Vec<Told> {
        (0..ORDERS).flat_map(|which| [self.run_out(told, which), self.tell_alone(told, which)]).flatten().collect()
    }

    fn may_end(&self, told: &Told) -> bool {
        (0..ORDERS).all(|which| self.next(told, which).is_none())
    }
}

/// What an entry of an order's history says of the order; nothing when it says nothing of where it stands.
///
/// # Panics
/// When it says what cannot happen in a round.
pub(crate) fn read(event: &OrderEvent, number_of: impl Fn(UserId) -> Driver) -> Option<Written> {
    let text = |key: &str| event.details.get(key).and_then(Value::as_str);
    let named = |key: &str| event.details.get(key).map(|id| number_of(serde_json::from_value(id.clone()).unwrap()));
    let his = || named("driver_id").expect("it names the driver");
    let actor = || number_of(event.actor_id.expect("it names who did it"));
    let entry = match (event.kind.as_str(), text("reason")) {
        ("created" | "delivered", _) => return None,
        ("offered", _) => Entry::Offered(his(), if event.actor_id.is_some() { By::Staff } else { By::Dispatcher }),
        ("accepted", _) => Entry::Accepted(actor()),
        ("offer_declined", _) => Entry::Ended(his(), End::Declined),
        ("offer_expired", _) => Entry::Ended(his(), End::Expired),
        ("offer_revoked", Some("reassigned")) => Entry::Ended(his(), End::Reassigned),
        ("offer_revoked", Some("cancelled")) => Entry::Ended(his(), End::Cancelled),
        ("offer_revoked", Some("busy")) => Entry::Ended(his(), End::Busy),
        ("arrived", _) => Entry::Arrived(actor()),
        ("started", _) => Entry::Started(actor()),
        ("completed", _) => Entry::Completed(actor()),
        ("released", _) => Entry::Released(actor()),
        ("cancelled", _) => Entry::Cancelled,
        _ => panic!("nothing in a round leaves this in a history: {event:?}"),
    };
    let expires_at = text("expires_at").map(|at| at.parse().unwrap());
    Some(Written { at: event.at, entry, expires_at })
}

#[cfg(test)]
mod tests;
