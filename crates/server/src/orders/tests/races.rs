//! Two who want the same at the same time, on real threads. Whoever wins, the invariants hold after each round.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt, future::BoxFuture};
use holodrive_protocol::{
    OrderId,
    OrderStatus::{Accepted as Taken, Cancelled, Pending, Searching},
    socket::OfferExpiredReason,
};

use super::super::{OrderError, Orders, answers::Accepted};
use super::{
    TripStep,
    town::{Town, accept, write},
};
use crate::accounts::User;

const ROUNDS: usize = 25;

type Racer = BoxFuture<'static, Outcome>;

#[derive(Debug, PartialEq)]
enum Outcome {
    Won,
    WonBefore,
    Refused(Option<OfferExpiredReason>),
    Done,
}

async fn race(racers: Vec<Racer>) -> Vec<Outcome> {
    let running: Vec<_> = racers.into_iter().map(tokio::spawn).collect();
    let mut outcomes = Vec::new();
    for racer in running {
        outcomes.push(racer.await.unwrap());
    }
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

async fn finish(town: &Town, order: OrderId, driver: &User) {
    for step in [TripStep::Arrive, TripStep::Start, TripStep::Complete] {
        town.step(order, driver, step).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accept_and_accept() {
    let town = Town::new(&[]).await;
    let (driver, other) = (town.driver("driver").await, town.driver("other").await);
    for _ in 0..ROUNDS {
        let order = town.offered_to(&driver).await;
        let racers = [&driver, &other, &driver, &driver].map(|driver| accepts(&town, order, driver));
        let mut outcomes = race(racers.into()).await;
        let stranger = outcomes.remove(1);
        assert_eq!(stranger, Outcome::Refused(Some(OfferExpiredReason::NotOffered)));
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Won).count(), 1, "{outcomes:?}");
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::WonBefore).count(), 2, "{outcomes:?}");
        town.check_invariants().await;
        finish(&town, order, &driver).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accept_and_the_deadline() {
    let town = Town::new(&[("ORDER_OFFER_TIMEOUT", "1"), ("DISPATCH_MODE", "manual")]).await;
    let driver = town.driver("driver").await;
    for _ in 0..5 {
        for millis in -5_i64..=5 {
            let order = town.offered_to(&driver).await;
            let deadline = town.order(order).await.offers[0].expires_at;
            town.clock.advance(Duration::from_millis(u64::try_from(1_000 + millis).unwrap()));
            let (clock, ticks) = (Arc::clone(&town.clock), 2);
            let time_passes = async move {
                for _ in 0..ticks {
                    clock.advance(Duration::from_millis(1));
                    tokio::task::yield_now().await;
                }
                Outcome::Done
            }
            .boxed();
            let racers = vec![accepts(&town, order, &driver), does(&town, Orders::sweep), time_passes];
            let outcomes = race(racers).await;
            match &outcomes[0] {
                Outcome::Won => assert!(millis < 0, "accepted {millis} ms after the deadline"),
                Outcome::Refused(reason) => {
                    assert!(millis + ticks >= 0, "refused before the deadline {deadline:?}");
                    assert_eq!(*reason, Some(OfferExpiredReason::Expired));
                }
                other => panic!("{other:?}"),
            }
            town.check_invariants().await;
            if outcomes[0] == Outcome::Won {
                finish(&town, order, &driver).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accept_and_cancel() {
    let town = Town::new(&[]).await;
    let driver = town.driver("driver").await;
    for _ in 0..ROUNDS {
        let order = town.offered_to(&driver).await;
        let rider = Arc::clone(&town.rider);
        let cancels = does(&town, move |orders, tx| orders.cancel(tx, order, &rider));
        let outcomes = race(vec![cancels, accepts(&town, order, &driver)]).await;
        assert_eq!(outcomes[0], Outcome::Done, "it can be cancelled before and after");
        let refused = Outcome::Refused(Some(OfferExpiredReason::Cancelled));
        assert!(outcomes[1] == Outcome::Won || outcomes[1] == refused, "{outcomes:?}");
        assert_eq!(town.status(order).await, Cancelled);
        town.check_invariants().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decline_and_sweep_and_poll() {
    let town = Town::new(&[("ORDER_OFFER_TIMEOUT", "1"), ("DISPATCH_MODE", "manual")]).await;
    let driver = town.driver("driver").await;
    for _ in 0..ROUNDS {
        let (order, id) = (town.offered_to(&driver).await, driver.id);
        town.clock.advance(Duration::from_secs(1));
        let declines = does(&town, move |orders, tx| orders.decline(tx, order, id, None));
        let polls = does(&town, move |orders, tx| orders.poll(tx, id));
        race(vec![polls, does(&town, Orders::sweep), declines, does(&town, Orders::sweep)]).await;
        assert_eq!(town.status(order).await, Searching);
        assert_eq!(town.history(order).await.len(), 3, "it ended once");
        town.check_invariants().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn assign_and_the_dispatcher() {
    let town = Town::new(&[]).await;
    let (near, far) = (town.driver_at("near", 1.0).await, town.driver("far").await);
    for _ in 0..ROUNDS {
        let order = town.create().await;
        let (found, orders) = (town.orders.plan(town.now()).matches.remove(0), Arc::clone(&town.orders));
        let (id, staff) = (far.id, town.staff.id);
        let dispatches = async move {
            orders.make_one_offer(found).await;
            Outcome::Done
        };
        let assigns = does(&town, move |orders, tx| orders.assign(tx, order, id, Some(staff)));
        race(vec![dispatches.boxed(), assigns]).await;
        assert_eq!(town.asked(order).await, Some(far.id), "the word of staff is the last");
        town.check_invariants().await;
        town.cancel(order, &town.rider).await.unwrap();
    }
    let order = town.create().await;
    town.settle().await;
    assert_eq!(town.asked(order).await, Some(near.id), "his place was freed each time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_orders_and_one_driver() {
    let town = Town::new(&[("ORDER_OFFERS_PER_DRIVER", "2"), ("DISPATCH_MODE", "manual")]).await;
    let driver = town.driver("driver").await;
    for _ in 0..ROUNDS {
        let (first, second) = (town.offered_to(&driver).await, town.offered_to(&driver).await);
        let outcomes = race(vec![accepts(&town, first, &driver), accepts(&town, second, &driver)]).await;
        let refused = Outcome::Refused(Some(OfferExpiredReason::Expired));
        assert!(outcomes.contains(&Outcome::Won) && outcomes.contains(&refused), "{outcomes:?}");
        let (won, lost) = if outcomes[0] == Outcome::Won { (first, second) } else { (second, first) };
        assert_eq!((town.status(won).await, town.status(lost).await), (Taken, Searching));
        town.check_invariants().await;
        finish(&town, won, &driver).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_of_orders_and_drivers() {
    let town = Town::new(&[("ORDER_OFFERS_PER_DRIVER", "2")]).await;
    let mut drivers = Vec::new();
    for number in 0..6 {
        drivers.push(town.driver_at(&format!("driver{number}"), f64::from(number)).await);
    }
    let dispatcher = tokio::spawn(Arc::clone(&town.orders).dispatch_for_ever());
    let mut orders = Vec::new();
    for _ in 0..20 {
        orders.push(town.create().await);
    }
    for _ in 0..10 {
        let racers = orders.iter().flat_map(|order| drivers.iter().map(|driver| accepts(&town, *order, driver)));
        race(racers.collect()).await;
        town.check_invariants().await;
    }
    for order in orders {
        let record = town.order(order).await;
        if record.status == Taken {
            let driver = drivers.iter().find(|driver| Some(driver.id) == record.driver_id).unwrap();
            town.release(order, driver).await.unwrap();
        } else {
            assert!(matches!(record.status, Pending | Searching));
        }
    }
    dispatcher.abort();
    town.check_invariants().await;
}
