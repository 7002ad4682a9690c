//! Recorded histories of the real program, checked against a model: many clients call two server processes on one database
//! at the same time, and what they were told must be explained by everything having happened one after another.
//!
//! A history is a round: three drivers with two devices each, staff and the rider ask about the same three orders, and in the
//! end the orders are finished. The three are one model, so that it knows who drives, whose offers end when he takes another
//! order, and who is told `driver_busy`.
//!
//! | | without dispatcher | with dispatcher and deadlines |
//! |---|---|---|
//! | what may happen | what somebody has called for | that, and what the histories (`events/`) say that the dispatcher and the deadlines did |
//! | every answer to a call, and every look at an order or poll of a driver | exact, by the answers alone; and again together with the histories | exact, together with the histories |
//! | the histories: each entry can follow the one before, each is there because of a call that was answered so, or because of the dispatcher or a deadline, and none is missing | checked | checked |
//! | their times: nothing is accepted or declined after the deadline, nothing runs out before it, nobody is asked again too soon | checked | checked |
//! | the dispatcher asks nobody who drives, has too many offers, or gave the order back | – | checked |
//!
//! Histories are told in the order of their times, those of the three orders together, since one transaction writes at a
//! time and asks the clock of the database. A refusal has no time of its own: that a deadline has passed is believed as soon
//! as everything is told that was written before it.
//!
//! Not checked: whom the dispatcher should have asked instead, and how soon; how long after its deadline an offer ends; what
//! pushes, sockets and the other fields of the answers say.
//!
//! The checks are checked as well: each recording is spoilt in every way that `corruption` knows, and none of that may pass.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod checker;
mod corruption;
mod order;
mod recorded;
mod round;
mod site;
mod step;

use std::{fmt, sync::Arc, time::Duration};

use holodrive_protocol::OrderId;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::task::JoinSet;

use self::{
    checker::{Operation, is_linearizable},
    corruption::{ANSWERS, ENTRIES, Kind, OFFERS},
    recorded::{REOFFER_AFTER, Record, Written},
    round::{OFFERS_PER_DRIVER, OnlyPeople},
    site::Site,
    step::{Act, Call, DRIVERS, ORDERS, Step},
};

/// Rounds that are recorded at the least.
const ROUNDS: u64 = 12;
/// Rounds that are recorded at the most, where too little has happened in fewer.
const MOST_ROUNDS: u64 = 100;
/// Each driver has so many devices, which do not know of each other.
const DEVICES: usize = 2;
const STEPS: usize = 12;
/// About as long as an accept is on its way, so that the deadline may pass meanwhile.
const LAST_MOMENT_MS: u64 = 8;

/// What happened in a round.
#[derive(Clone, Debug)]
struct Recording {
    history: Vec<Operation<Step>>,
    record: Record,
}

/// One line for each operation, in the order of the calls, and for each entry of the histories.
impl fmt::Display for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut history: Vec<_> = self.history.iter().collect();
        history.sort_by_key(|operation| operation.called);
        for Operation { called, answered, step } in history {
            writeln!(f, "{called}..{answered} {step:?}")?;
        }
        for (which, entries) in self.record.0.iter().enumerate() {
            for Written { at, entry, expires_at } in entries {
                let expires_at = expires_at.map(|at| format!(" until {at}")).unwrap_or_default();
                writeln!(f, "order {which}, {at}: {entry:?}{expires_at}")?;
            }
        }
        Ok(())
    }
}

impl Recording {
    /// Whether the answers can be explained without the dispatcher or a deadline.
    fn is_explained_by_people(&self) -> bool {
        is_linearizable(&OnlyPeople, &self.history)
    }

    /// Whether answers and histories can be explained together.
    fn is_explained(&self) -> bool {
        is_linearizable(&self.record, &self.history)
    }
}

/// The first orders are in more demand.
fn which(dice: &mut StdRng) -> usize {
    dice.random_range(0..ORDERS).min(dice.random_range(0..ORDERS))
}

/// What a driver's device does next.
fn drivers_call(dice: &mut StdRng, driver: usize) -> Call {
    let act = match dice.random_range(0..12) {
        0..5 => Act::Accept(driver),
        5 => Act::Decline(driver),
        6 => Act::Release(driver),
        7 => Act::Arrive(driver),
        8 => Act::Start(driver),
        9 => Act::Complete(driver),
        _ => return Call::Poll(driver),
    };
    Call::Act(which(dice), act)
}

/// What staff and the rider do next.
fn others_call(dice: &mut StdRng) -> Call {
    match dice.random_range(0..24) {
        0..15 => Call::Act(which(dice), Act::Assign(dice.random_range(0..DRIVERS))),
        15 => Call::Act(which(dice), Act::Cancel),
        _ => Call::Look(which(dice)),
    }
}

/// Everybody at once calls about these orders; some drivers wait until the last moment.
async fn race(site: &Arc<Site>, orders: [OrderId; ORDERS], seed: u64) -> Vec<Operation<Step>> {
    let mut callers = JoinSet::new();
    for caller in 0..DRIVERS * DEVICES + 2 {
        let site = Arc::clone(site);
        let mut dice = StdRng::seed_from_u64(seed * 100 + caller as u64);
        callers.spawn(async move {
            let mut history = Vec::new();
            for _ in 0..STEPS {
                let is_driver = caller < DRIVERS * DEVICES;
                let call = if is_driver { drivers_call(&mut dice, caller % DRIVERS) } else { others_call(&mut dice) };
                let node = caller % site.nodes();
                if let Call::Act(which, Act::Accept(_)) = call
                    && dice.random_ratio(1, 4)
                {
                    let shortly = Duration::from_millis(dice.random_range(0..LAST_MOMENT_MS));
                    site.wait_for_deadline(node, orders[which], shortly).await;
                }
                history.push(site.take(node, &orders, call).await);
            }
            history
        });
    }
    callers.join_all().await.into_iter().flatten().collect()
}

/// Records rounds until each kind of lie can be told about one of them.
async fn recordings(settings: &[(&str, &str)], kinds: &[Kind]) -> Vec<Recording> {
    let site = Arc::new(Site::start(settings));
    site.go_online().await;
    let mut recordings = Vec::new();
    let is_enough = |recordings: &[_]| kinds.iter().all(|(_, spoil)| recordings.iter().any(|one| spoil(one).is_some()));
    for seed in 0..MOST_ROUNDS {
        if seed >= ROUNDS && is_enough(&recordings) {
            break;
        }
        let orders = site.orders().await;
        let mut history = race(&site, orders, seed).await;
        history.extend(site.finish(&orders).await);
        recordings.push(Recording { history, record: site.record(&orders).await });
    }
    recordings
}

/// Each kind of lie can be told about some round, and is never believed.
fn assert_found_out(recordings: &[Recording], kinds: &[Kind], is_explained: fn(&Recording) -> bool) {
    for (kind, spoil) in kinds {
        let spoilt: Vec<_> = recordings.iter().filter_map(spoil).collect();
        assert!(!spoilt.is_empty(), "{kind}: nowhere to be told");
        for recording in &spoilt {
            assert!(!is_explained(recording), "{kind}: believed in\n{recording}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_people_do_to_orders_happens_one_after_another() {
    let settings =
        [("DISPATCH_MODE", "manual"), ("ORDER_OFFER_TIMEOUT", "3600"), ("ORDER_OFFER_UNREACHABLE_TIMEOUT", "0")];
    let kinds = [ANSWERS, ENTRIES].concat();
    let recordings = recordings(&settings, &kinds).await;
    for recording in &recordings {
        assert!(recording.is_explained_by_people(), "not explained:\n{recording}");
        assert!(recording.is_explained(), "not explained:\n{recording}");
    }
    assert_found_out(&recordings, ANSWERS, Recording::is_explained_by_people);
    assert_found_out(&recordings, &kinds, Recording::is_explained);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_does_what_the_dispatcher_and_the_deadlines_do() {
    let (reoffer_after, offers_per_driver) = (REOFFER_AFTER.as_secs_f64().to_string(), OFFERS_PER_DRIVER.to_string());
    let settings = [
        ("ORDER_OFFER_TIMEOUT", "0.04"),
        ("ORDER_OFFER_UNREACHABLE_TIMEOUT", "0"),
        ("ORDER_REOFFER_AFTER", &reoffer_after),
        ("ORDER_OFFERS_PER_DRIVER", &offers_per_driver),
    ];
    let kinds = [ANSWERS, ENTRIES, OFFERS].concat();
    let recordings = recordings(&settings, &kinds).await;
    for recording in &recordings {
        assert!(recording.is_explained(), "not explained:\n{recording}");
    }
    assert_found_out(&recordings, &kinds, Recording::is_explained);
}
