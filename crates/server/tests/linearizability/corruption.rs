//! Recordings that are wrong for certain, each in one way: a check that takes one of them for right checks too little.
//!
//! What makes them wrong is known without the models: by when calls were answered, and by what the histories do not hold.

use holodrive_protocol::socket::OfferExpiredReason::NotOffered;

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
        recording.with_answer(|operation, step| match step {
            Step::Act(which, Act::Accept(driver), Answer::OfferExpired(_)) => {
                let is_taken = others(driver).any(|other| recording.drives(other, which, operation));
                is_taken.then_some(Step::Act(which, Act::Accept(driver), Answer::Done))
            }
            _ => None,
        })
    }),
    ("two trips of one driver", |recording| {
        recording.with_answer(|operation, step| match step {
            Step::Act(which, Act::Accept(driver), Answer::OfferExpired(_)) => {
                let is_busy = recording.drives_another(driver, which, operation);
                is_busy.then_some(Step::Act(which, Act::Accept(driver), Answer::Done))
            }
            _ => None,
        })
    }),
    ("an accept without an offer", |recording| {
        recording.with_answer(|_, step| match step {
            Step::Act(which, Act::Accept(driver), Answer::OfferExpired(NotOffered)) => {
                let is_offered = recording.was_offered(driver, which);
                (!is_offered).then_some(Step::Act(which, Act::Accept(driver), Answer::Done))
            }
            _ => None,
        })
    }),
    ("a busy driver who drives nothing", |recording| {
        recording.with_answer(|operation, step| match step {
            Step::Act(which, Act::Assign(driver), Answer::Done) => {
                let is_free = !recording.won_before(driver, operation.answered);
                is_free.then_some(Step::Act(which, Act::Assign(driver), Answer::DriverBusy))
            }
            _ => None,
        })
    }),
    ("an offer to a busy driver", |recording| {
        recording.with_answer(|operation, step| match step {
            Step::Act(which, Act::Assign(driver), Answer::DriverBusy) => {
                let is_busy = recording.drives_another(driver, which, operation);
                is_busy.then_some(Step::Act(which, Act::Assign(driver), Answer::Done))
            }
            _ => None,
        })
    }),
    ("a driver who never took it is seen", |recording| {
        recording.with_answer(|_, step| match step {
            Step::Look { order, status, driver: Some(driver) } => {
                let stranger = others(driver).find(|other| !recording.ever_won(*other, order))?;
                Some(Step::Look { order, status, driver: Some(stranger) })
            }
            _ => None,
        })
    }),
    ("a trip is missing in a poll", |recording| {
        recording.with_answer(|operation, step| match step {
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
        recording.with_entries(|entries, at| {
            matches!(entries[at].entry, Entry::Accepted(_)).then(|| {
                entries.remove(at);
            })
        })
    }),
    ("an accept after the deadline", |recording| {
        recording.with_entries(|entries, at| {
            let expires_at = entries[..at].iter().rev().find_map(|written| written.expires_at)?;
            matches!(entries[at].entry, Entry::Accepted(_)).then(|| entries[at].at = expires_at)
        })
    }),
];

/// Lies about what the dispatcher and the deadlines did.
pub(crate) const OFFERS: &[Kind] = &[
    ("two offers at once", |recording| {
        recording.with_entries(|entries, at| {
            let offered @ Written { entry: Entry::Offered(driver, By::Dispatcher), .. } = entries[at] else {
                return None;
            };
            let entry = Entry::Offered((driver + 1) % DRIVERS, By::Dispatcher);
            Some(entries.insert(at + 1, Written { entry, ..offered }))
        })
    }),
    ("an offer that nobody made", |recording| {
        recording.with_entries(|entries, at| {
            matches!(entries[at].entry, Entry::Offered(_, By::Dispatcher)).then(|| {
                entries.remove(at);
            })
        })
    }),
    ("an offer that ran out before its time", |recording| {
        recording.with_entries(|entries, at| {
            let Entry::Offered(..) = entries[at].entry else { return None };
            let is_run_out = matches!(entries.get(at + 1)?.entry, Entry::Ended(_, End::Expired));
            is_run_out.then(|| entries[at + 1].at = entries[at].at)
        })
    }),
    ("an offer too soon after another", |recording| {
        recording.with_entries(|entries, at| {
            let Entry::Offered(driver, By::Dispatcher) = entries[at].entry else { return None };
            let is_end = |written: &&Written| matches!(written.entry, Entry::Ended(whose, _) if whose == driver);
            let ended_at = entries[..at].iter().rfind(is_end)?.at;
            Some(entries[at].at = ended_at.after(REOFFER_AFTER / 2))
        })
    }),
];

fn others(driver: Driver) -> impl Iterator<Item = Driver> {
    (0..DRIVERS).filter(move |other| *other != driver)
}

impl Recording {
    /// With the first answer changed for which there is another.
    fn with_answer(&self, another: impl Fn(&Operation<Step>, Step) -> Option<Step>) -> Option<Self> {
        let mut changed = self.clone();
        let of = |operation: &Operation<Step>| another(operation, operation.step);
        let (index, step) =
            self.history.iter().enumerate().find_map(|(index, operation)| Some((index, of(operation)?)))?;
        changed.history[index].step = step;
        Some(changed)
    }

    /// With a change at the first place in a history where there can be one.
    fn with_entries(&self, change: impl Fn(&mut Vec<Written>, usize) -> Option<()>) -> Option<Self> {
        let mut changed = self.clone();
        let is_changed =
            changed.record.0.iter_mut().any(|entries| (0..entries.len()).any(|at| change(entries, at).is_some()));
        is_changed.then_some(changed)
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
