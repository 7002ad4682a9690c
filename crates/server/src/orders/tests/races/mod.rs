//! Two who want the same at the same time, on real threads. Whoever wins, the invariants hold after each round; and each who
//! may win has won in some round.
//!
//! The ten races that every dispatcher must survive, each a test of that name:
//!
//! | race | test |
//! |---|---|
//! | accept ∥ accept | [`answers`]`::accept_and_accept`, `accept_and_accept_of_a_broadcast` |
//! | accept ∥ deadline, 5 ms before to 5 ms after | [`answers`]`::accept_and_the_deadline` |
//! | accept ∥ the rider cancels | [`answers`]`::accept_and_cancel` |
//! | decline ∥ sweep ∥ poll | [`answers`]`::decline_and_sweep_and_poll` |
//! | staff assigns ∥ dispatcher | [`offers`]`::assign_and_the_dispatcher` |
//! | two orders ∥ one driver | [`offers`]`::two_orders_and_one_driver` |
//! | driver goes offline ∥ offer | [`offers`]`::going_offline_and_an_offer` |
//! | kill between commit and publish | [`nodes`]`::a_kill_between_commit_and_publish` |
//! | clock of one node an hour ahead | [`nodes`]`::the_clock_of_one_node_is_an_hour_ahead` |
//! | Redis gone | [`redis`]`::redis_is_gone` |
//!
//! That deadlines hold where a node's clock is wrong, because the database's own counts, is in [`super::clocks`].
//!
//! The real program meets the same in the acceptance suite: killed at every one of its failpoints (`test_durability.py`,
//! `test_crash.py`), beside another node (`test_nodes.py`), and with Redis gone or frozen (`test_channel_layer.py`).

mod answers;
mod nodes;
mod offers;
mod redis;

use std::sync::Arc;

use futures_util::{FutureExt, future::BoxFuture};
use holodrive_protocol::{OrderId, socket::OfferExpiredReason};

use super::super::{OrderError, Orders, answers::Accepted};
use super::{
    TripStep,
    town::{Town, accept, write},
};
use crate::accounts::User;

const ROUNDS: usize = 25;
/// Rounds that one racer begins alone.
const LEADS: usize = 2;

type Racer = BoxFuture<'static, Outcome>;

#[derive(Debug, PartialEq)]
enum Outcome {
    Won,
    WonBefore,
    Refused(Option<OfferExpiredReason>),
    Done,
}

/// All at the same time.
async fn race(racers: Vec<Racer>) -> Vec<Outcome> {
    let running: Vec<_> = racers.into_iter().map(tokio::spawn).collect();
    let mut outcomes = Vec::new();
    for racer in running {
        outcomes.push(racer.await.unwrap());
    }
    outcomes
}

/// One round of a race that is run many times. Who is started first mostly wins, so with each round it is another one. In the
/// first rounds he is through before the others begin: that each of the first two racers has won over the others is certain.
async fn race_round(round: usize, mut racers: Vec<Racer>) -> Vec<Outcome> {
    let first = round % racers.len();
    racers.rotate_left(first);
    let others = racers.split_off(usize::from(round < LEADS));
    let mut outcomes = race(racers).await;
    outcomes.extend(race(others).await);
    outcomes.rotate_right(first);
    outcomes
}

fn accepts(town: &Town, order: OrderId, driver: &Arc<User>) -> Racer {
    let (orders, driver) = (Arc::clone(&town.orders), Arc::clone(driver));
    async move {
        match accept(&orders, order, &driver).await {
            Ok(Accepted::Now(_)) => Outcome::Won,
            Ok(Accepted::Before(_)) => Outcome::WonBefore,
            Err(OrderError::OfferExpired(reason)) => Outcome::Refused(Some(reason)),
            Err(other) => panic!("{other}"),
        }
    }
    .boxed()
}

/// Anything that may be refused, but must not fail otherwise.
fn does<T: Send + 'static>(
    town: &Town,
    job: impl FnOnce(&Arc<Orders>, &mut crate::storage::Tx<'_>) -> Result<T, OrderError> + Send + 'static,
) -> Racer {
    let orders = Arc::clone(&town.orders);
    async move {
        match write(&orders, job).await {
            Ok(_) => Outcome::Done,
            Err(OrderError::OfferExpired(reason)) => Outcome::Refused(Some(reason)),
            Err(OrderError::InvalidTransition(_) | OrderError::DriverBusy) => Outcome::Refused(None),
            Err(other) => panic!("{other}"),
        }
    }
    .boxed()
}

/// The dispatcher carries out what it has planned by now.
fn dispatches(town: &Town) -> Racer {
    let (orders, matches) = (Arc::clone(&town.orders), town.orders.plan(town.now()).matches);
    async move {
        for found in matches {
            Arc::clone(&orders).make_one_offer(found).await;
        }
        Outcome::Done
    }
    .boxed()
}

async fn finish(town: &Town, order: OrderId, driver: &User) {
    for step in [TripStep::Arrive, TripStep::Start, TripStep::Complete] {
        town.step(order, driver, step).await.unwrap();
    }
}
