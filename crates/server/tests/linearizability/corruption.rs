//! Recordings that are wrong for certain, each in one way: a check that takes one of them for right checks too little.
//!
//! What makes them wrong is known without the models: by when calls were answered, and by what the histories do not hold.

use holodrive_protocol::socket::OfferExpiredReason;

use super::{
    Recording,
    checker::Operation,
    order::{By, End, Entry},
    recorded::{REOFFER_AFTER, Written},
    step::{Act, Answer, DRIVERS, Driver, ORDERS, Step, Which},
};

/// A way to spoil a recording; nothing where it holds nothing that can be spoilt like this.
pub(crate) type Kind = (&'static str, fn(&Recording) -> Option<Recording>);

/// Lies about what was answered.
pub(crate) const ANSWERS: &[Kind] = &[
    ("a second winner", |recording| {
        recording.with_a_winner(|operation, driver, which, _| {
            others(driver).any(|other| recording.drives(other, which, operation))
        })
    }),
    ("two trips of one driver", |recording| {
        recording.with_a_winner(|operation, driver, which, _| recording.drives_another(driver, which, operation))
    }),
    ("an accept without an offer", |recording| {
        recording.with_a_winner(|_, driver, which, reason| {
            reason == OfferExpiredReason::NotOffered && !recording.was_offered(driver, which)
        })
    }),
    ("a busy driver who drives nothing", |recording| {
        recording.with_answer(|operation| match operation.step {
            Step::Act(which, Act::Assign(driver), Answer::Done) => {
                let may_be_busy = recording.won_before(driver, operation.answered);
                (!may_be_busy).then_some(Step::Act(which, Act::Assign(driver), Answer::DriverBusy))
            }
            _ => None,
        })
    }),
    ("an offer to a busy driver", |recording| {
        recording.with_answer(|operation| match operation.step {
            Step::Act(which, Act::Assign(driver), Answer::DriverBusy) => {
                let is_busy = recording.drives_another(driver, which, operation);
                is_busy.then_some(Step::Act(which, Act::Assign(driver), Answer::Done))
            }
            _ => None,
        })
    }),
    ("a driver who never took it is seen", |recording| {
        recording.with_answer(|operation| match operation.step {
            Step::Look { order, status, driver: Some(driver) } => {
                let stranger = others(driver).find(|other| !recording.ever_won(*other, order))?;
                Some(Step::Look { order, status, driver: Some(stranger) })
            }
            _ => None,
        })
    }),
    ("a trip is missing in a poll", |recording| {
        recording.with_answer(|operation| match operation.step {
            Step::Poll { driver, offered, trip: Some(trip) } => {
                recording.drives(driver, trip, operation).then_some(Step::Poll { driver, offered, trip: None })
            }
            _ => None,
        })
    }),
];

/// Lies about what was written down.
pub(crate) const ENTRIES: &[Kind] = &[
    ("an accept that left nothing", |recording| {
        recording.with_entry(|_, written| matches!(written.entry, Entry::Accepted(_)).then(Vec::new))
    }),
    ("an accept after the deadline", |recording| {
        recording.with_entry(|before, written| {
            let is_accept = matches!(written.entry, Entry::Accepted(_));
            let expires_at = before.last()?.expires_at.filter(|_| is_accept)?;
            Some(vec![Written { at: expires_at, ..written }])
        })
    }),
];

/// Lies about what the dispatcher and the deadlines did.
pub(crate) const OFFERS: &[Kind] = &[
    ("an offer that nobody made", |recording| {
        recording.with_entry(|_, written| is_dispatched(written).map(|_| Vec::new()))
    }),
    ("an offer to another", |recording| {
        recording.with_entry(|_, written| {
            let entry = Entry::Offered(others(is_dispatched(written)?).next()?, By::Dispatcher);
            Some(vec![Written { entry, ..written }])
        })
    }),
    ("two offers at once", |recording| {
        recording.with_entry(|_, written| {
            let entry = Entry::Offered(others(is_dispatched(written)?).next()?, By::Dispatcher);
            Some(vec![written, Written { entry, ..written }])
        })
    }),
    ("an offer too soon after another", |recording| {
        recording.with_entry(|before, written| {
            let driver = is_dispatched(written)?;
            let is_end = |written: &&Written| matches!(written.entry, Entry::Ended(whose, _) if whose == driver);
            let ended_at = before.iter().rfind(is_end)?.at;
            Some(vec![Written { at: ended_at.after(REOFFER_AFTER / 2), ..written }])
        })
    }),
    ("an offer that ran out before its time", |recording| {
        recording.with_entry(|before, written| {
            let is_end = matches!(written.entry, Entry::Ended(_, End::Expired));
            let offered_at = before.last().filter(|_| is_end)?.at;
            Some(vec![Written { at: offered_at, ..written }])
        })
    }),
    ("a taken offer that ran out", |recording| {
        recording.with_entry(|before, written| {
            is_dispatched(*before.last()?)?;
            let Entry::Accepted(driver) = written.entry else { return None };
            Some(vec![Written { entry: Entry::Ended(driver, End::Expired), ..written }])
        })
    }),
];

/// To whom the dispatcher made this offer.
fn is_dispatched(written: Written) -> Option<Driver> {
    if let Entry::Offered(driver, By::Dispatcher) = written.entry { Some(driver) } else { None }
}

fn others(driver: Driver) -> impl Iterator<Item = Driver> {
    (0..DRIVERS).filter(move |other| *other != driver)
}

impl Recording {
    /// With the first answer changed for which there is another.
    fn with_answer(&self, another: impl Fn(&Operation<Step>) -> Option<Step>) -> Option<Self> {
        let mut changed = self.clone();
        let operation = changed.history.iter_mut().find(|operation| another(operation).is_some())?;
        operation.step = another(operation)?;
        Some(changed)
    }

    /// With an accept done that was refused for a reason.
    fn with_a_winner(
        &self,
        is_meant: impl Fn(&Operation<Step>, Driver, Which, OfferExpiredReason) -> bool,
    ) -> Option<Self> {
        self.with_answer(|operation| match operation.step {
            Step::Act(which, Act::Accept(driver), Answer::OfferExpired(reason)) => is_meant(
                operation, driver, which, reason,
            )
            .then_some(Step::Act(which, Act::Accept(driver), Answer::Done)),
            _ => None,
        })
    }

    /// With other entries in the place of the first one for which there are any; the entries before it are shown, too.
    fn with_entry(&self, instead: impl Fn(&[Written], Written) -> Option<Vec<Written>>) -> Option<Self> {
        let mut changed = self.clone();
        for entries in &mut changed.record.0 {
            let place = |at: usize| Some((at, instead(&entries[..at], entries[at])?));
            if let Some((at, instead)) = (0..entries.len()).find_map(place) {
                entries.splice(at..=at, instead);
                return Some(changed);
            }
        }
        None
    }

    /// Whether the driver had taken the order before this was called, and nobody may have ended that before it was answered.
    fn drives(&self, driver: Driver, which: Which, meanwhile: &Operation<Step>) -> bool {
        let has_won = |operation: &Operation<Step>| {
            operation.step == Step::Act(which, Act::Accept(driver), Answer::Done)
                && operation.answered < meanwhile.called
        };
        let may_have_ended = |operation: &Operation<Step>| match operation.step {
            Step::Act(of, Act::Release(_) | Act::Complete(_) | Act::Cancel, Answer::Done) => {
                of == which && operation.called < meanwhile.answered
            }
            _ => false,
        };
        self.history.iter().any(has_won) && !self.history.iter().any(may_have_ended)
    }

    fn drives_another(&self, driver: Driver, which: Which, meanwhile: &Operation<Step>) -> bool {
        (0..ORDERS).any(|other| other != which && self.drives(driver, other, meanwhile))
    }

    fn was_offered(&self, driver: Driver, which: Which) -> bool {
        self.record.0[which].iter().any(|written| matches!(written.entry, Entry::Offered(whom, _) if whom == driver))
    }

    /// Whether the driver may have taken any order by then.
    fn won_before(&self, driver: Driver, then: u64) -> bool {
        self.history.iter().any(|operation| match operation.step {
            Step::Act(_, Act::Accept(whose), Answer::Done) => whose == driver && operation.called < then,
            _ => false,
        })
    }

    fn ever_won(&self, driver: Driver, which: Which) -> bool {
        self.history.iter().any(|operation| operation.step == Step::Act(which, Act::Accept(driver), Answer::Done))
    }
}
