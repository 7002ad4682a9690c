//! What a driver answers, against whatever makes the answer void.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;
use holodrive_protocol::{
    OrderStatus::{Cancelled, Searching},
    socket::OfferExpiredReason,
};

use super::{
    super::{super::Orders, town::Town},
    Outcome, ROUNDS, accepts, does, finish, race,
};

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
