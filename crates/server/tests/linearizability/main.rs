//! Recorded histories of the real program, checked against a model: many clients call two server processes on one database
//! at the same time, and what each order's callers were told must be explained by its steps having happened one after
//! another.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod checker;
mod order;
mod site;

use std::sync::Arc;

use holodrive_protocol::{OrderId, OrderStatus, socket::OfferExpiredReason};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::task::JoinSet;

use self::{
    checker::{OPERATIONS, Operation, is_linearizable},
    order::{Alone, Answer, DRIVERS, Order, Step},
    site::Site,
};

type History = Vec<Operation<Step>>;

/// Orders of a run.
const ORDERS: u64 = 18;
/// Each driver has so many devices, which do not know of each other.
const DEVICES: usize = 2;
const STEPS: usize = 8;

/// What a driver's device does next; the answer is filled in.
fn drivers_step(dice: &mut StdRng, driver: usize) -> Step {
    match dice.random_range(0..12) {
        0..5 => Step::Accept(driver, Answer::Done),
        5 => Step::Decline(driver, Answer::Done),
        6 => Step::Release(driver, Answer::Done),
        7 => Step::Arrive(driver, Answer::Done),
        8 => Step::Start(driver, Answer::Done),
        9 => Step::Complete(driver, Answer::Done),
        _ => Step::Poll(driver, false, false),
    }
}

/// What staff and the rider do next.
fn others_step(dice: &mut StdRng) -> Step {
    match dice.random_range(0..24) {
        0..15 => Step::Assign(dice.random_range(0..DRIVERS), Answer::Done),
        15 => Step::Cancel(Answer::Done),
        _ => Step::Look(OrderStatus::Searching, None),
    }
}

/// Everybody at once calls about these orders; gives what happened to each.
async fn race(site: &Arc<Site>, orders: &[OrderId], seed: u64) -> Vec<History> {
    let mut callers = JoinSet::new();
    for caller in 0..DRIVERS * DEVICES + 2 {
        let (site, orders) = (Arc::clone(site), orders.to_vec());
        let mut dice = StdRng::seed_from_u64(seed * 100 + caller as u64);
        callers.spawn(async move {
            let mut history = Vec::new();
            for _ in 0..STEPS {
                let is_driver = caller < DRIVERS * DEVICES;
                let step = if is_driver { drivers_step(&mut dice, caller % DRIVERS) } else { others_step(&mut dice) };
                let (which, node) = (dice.random_range(0..orders.len()), caller % site.nodes());
                history.push((which, site.take(node, orders[which], step).await));
            }
            history
        });
    }
    let mut histories = vec![Vec::new(); orders.len()];
    for (which, operation) in callers.join_all().await.into_iter().flatten() {
        histories[which].push(operation);
    }
    histories
}

/// How often a step of that kind was done.
fn count(histories: &[History], is_meant: impl Fn(&Step) -> bool) -> usize {
    histories.iter().flatten().filter(|operation| is_meant(&operation.step)).count()
}

async fn record(settings: &[(&str, &str)], at_once: usize) -> Vec<History> {
    let site = Arc::new(Site::start(settings));
    site.go_online().await;
    let mut histories = Vec::new();
    for seed in 0..ORDERS / at_once as u64 {
        let mut orders = Vec::new();
        for _ in 0..at_once {
            orders.push(site.order().await);
        }
        histories.extend(race(&site, &orders, seed).await);
        site.free_drivers().await;
    }
    histories
}

fn assert_linearizable(histories: &[History], alone: Alone) {
    for history in histories {
        assert!(history.len() <= OPERATIONS && is_linearizable(Order::new(alone), history), "{history:#?}");
    }
    let [accepted, refused] = [
        |step: &Step| matches!(step, Step::Accept(_, Answer::Done)),
        |step: &Step| matches!(step, Step::Accept(_, Answer::OfferExpired(_))),
    ]
    .map(|is_meant| count(histories, is_meant));
    assert!(accepted > 0 && refused > 0, "{accepted} accepted and {refused} refused prove nothing");
}

/// A history with one answer changed, to one that hardly any order of the steps explains.
fn corrupted(history: &History) -> Option<History> {
    let change = |step: &Step| match *step {
        Step::Accept(driver, Answer::OfferExpired(OfferExpiredReason::Taken | OfferExpiredReason::Cancelled)) => {
            Some(Step::Accept(driver, Answer::Done))
        }
        Step::Look(status, Some(driver)) => Some(Step::Look(status, Some((driver + 1) % DRIVERS))),
        _ => None,
    };
    let (index, step) = history.iter().enumerate().find_map(|(at, operation)| Some((at, change(&operation.step)?)))?;
    let mut changed = history.clone();
    changed[index].step = step;
    Some(changed)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_people_do_to_an_order_happens_one_after_another() {
    let settings =
        [("DISPATCH_MODE", "manual"), ("ORDER_OFFER_TIMEOUT", "3600"), ("ORDER_OFFER_UNREACHABLE_TIMEOUT", "0")];
    let histories = record(&settings, 1).await;
    assert_linearizable(&histories, Alone::Nothing);

    // The check can fail.
    let corrupted: Vec<_> = histories.iter().filter_map(corrupted).collect();
    let caught = corrupted.iter().filter(|history| !is_linearizable(Order::new(Alone::Nothing), history)).count();
    assert!(
        caught * 2 > corrupted.len() && caught > 0,
        "{caught} of {} corrupted histories are caught",
        corrupted.len()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_dispatcher_deadlines_and_other_orders_too() {
    let settings = [
        ("ORDER_OFFER_TIMEOUT", "0.2"),
        ("ORDER_OFFER_UNREACHABLE_TIMEOUT", "0"),
        ("ORDER_REOFFER_AFTER", "0.1"),
        ("ORDER_OFFERS_PER_DRIVER", "2"),
    ];
    assert_linearizable(&record(&settings, 3).await, Alone::Anything);
}
