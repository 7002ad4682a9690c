//! What a driver answers, against whatever makes the answer void.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use futures_util::FutureExt;
use holodrive_protocol::{
    OrderStatus::{Cancelled, Searching},
    socket::OfferExpiredReason,
};

use super::{
    super::{super::Orders, town::Town},
    Outcome, ROUNDS, Racer, accepts, does, finish, race_round,
};

/// Milliseconds that pass during a race with a deadline.
const TICKS: i64 = 2;

fn time_passes(town: &Town) -> Racer {
    let clock = Arc::clone(&town.clock);
    async move {
        for _ in 0..TICKS {
            clock.advance(Duration::from_millis(1));
            tokio::task::yield_now().await;
        }
        Outcome::Done
    }
    .boxed()
}

/// Until so many milliseconds after the second that an offer lasts here.
fn pass_the_second(town: &Town, millis: i64) {
    town.clock.advance(Duration::from_millis(u64::try_from(1_000 + millis).unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accept_and_accept() {
    let town = Town::new(&[]).await;
    let (driver, other) = (town.driver("driver").await, town.driver("other").await);
    let mut winners = BTreeSet::new();
    for round in 0..ROUNDS {
        let order = town.offered_to(&driver).await;
        let racers = [&driver, &driver, &driver, &other].map(|driver| accepts(&town, order, driver));
        let mut outcomes = race_round(round, racers.into()).await;
        let stranger = outcomes.pop();
        assert_eq!(stranger, Some(Outcome::Refused(Some(OfferExpiredReason::NotOffered))));
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::Won).count(), 1, "{outcomes:?}");
        assert_eq!(outcomes.iter().filter(|outcome| **outcome == Outcome::WonBefore).count(), 2, "{outcomes:?}");
        winners.extend(outcomes.iter().position(|outcome| *outcome == Outcome::Won));
        town.check_invariants().await;
        finish(&town, order, &driver).await;
    }
    assert!(winners.len() > 1, "it was always the same one who won");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accept_and_accept_of_a_broadcast() {
    let here = Town::new(&[("DISPATCH_STRATEGY", "broadcast"), ("DISPATCH_BROADCAST_OFFERS", "2")]).await;
    let there = here.node().await;
    let (driver, other) = (here.driver_at("driver", 1.0).await, here.driver_at("other", 2.0).await);
    let mut won_here = 0;
    for round in 0..ROUNDS {
        let order = here.create().await;
        here.settle().await;
        assert_eq!(here.order(order).await.offers.len(), 2, "both hold it");
        let racers = vec![accepts(&here, order, &driver), accepts(&there, order, &other)];
        let outcomes = race_round(round, racers).await;
        let winner = match outcomes[..] {
            [Outcome::Won, Outcome::Refused(Some(OfferExpiredReason::Taken))] => &driver,
            [Outcome::Refused(Some(OfferExpiredReason::Taken)), Outcome::Won] => &other,
            _ => panic!("{outcomes:?}"),
        };
        won_here += usize::from(outcomes[0] == Outcome::Won);
        for node in [&here, &there] {
            node.check_invariants().await;
        }
        finish(&here, order, winner).await;
    }
    assert!((1..ROUNDS).contains(&won_here), "the one won {won_here} times, the other never or always");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accept_and_the_deadline() {
    let town = Town::new(&[("ORDER_OFFER_TIMEOUT", "1"), ("DISPATCH_MODE", "manual")]).await;
    let driver = town.driver("driver").await;
    let (mut won, mut refused) = (0, 0);
    for (round, millis) in (0..5).flat_map(|_| -5_i64..=5).enumerate() {
        let order = town.offered_to(&driver).await;
        let deadline = town.order(order).await.offers[0].expires_at;
        pass_the_second(&town, millis);
        let racers = vec![accepts(&town, order, &driver), does(&town, Orders::sweep), time_passes(&town)];
        let outcomes = race_round(round, racers).await;
        town.check_invariants().await;
        match &outcomes[0] {
            Outcome::Won => {
                assert!(millis < 0, "accepted {millis} ms after the deadline");
                won += 1;
                finish(&town, order, &driver).await;
            }
            Outcome::Refused(reason) => {
                assert!(millis + TICKS >= 0, "refused before the deadline {deadline:?}");
                assert_eq!(*reason, Some(OfferExpiredReason::Expired));
                refused += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(won > 0 && refused > 0, "accepted {won} times, refused {refused} times");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accept_and_cancel() {
    let town = Town::new(&[]).await;
    let driver = town.driver("driver").await;
    let mut won = 0;
    for round in 0..ROUNDS {
        let order = town.offered_to(&driver).await;
        let rider = Arc::clone(&town.rider);
        let cancels = does(&town, move |orders, tx| orders.cancel(tx, order, &rider));
        let outcomes = race_round(round, vec![cancels, accepts(&town, order, &driver)]).await;
        assert_eq!(outcomes[0], Outcome::Done, "it can be cancelled before and after");
        let refused = Outcome::Refused(Some(OfferExpiredReason::Cancelled));
        assert!(outcomes[1] == Outcome::Won || outcomes[1] == refused, "{outcomes:?}");
        won += usize::from(outcomes[1] == Outcome::Won);
        assert_eq!(town.status(order).await, Cancelled);
        town.check_invariants().await;
    }
    assert!((1..ROUNDS).contains(&won), "he was in time in {won} rounds");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decline_and_sweep_and_poll() {
    let town = Town::new(&[("ORDER_OFFER_TIMEOUT", "1"), ("DISPATCH_MODE", "manual")]).await;
    let driver = town.driver("driver").await;
    let mut endings = BTreeMap::<_, usize>::new();
    for (round, millis) in (0..5).flat_map(|_| -TICKS - 1..=TICKS).enumerate() {
        let (order, id) = (town.offered_to(&driver).await, driver.id);
        pass_the_second(&town, millis);
        let declines = does(&town, move |orders, tx| orders.decline(tx, order, id, None));
        let polls = does(&town, move |orders, tx| orders.poll(tx, id));
        let sweeps = || does(&town, Orders::sweep);
        let outcomes = race_round(round, vec![declines, sweeps(), polls, sweeps(), time_passes(&town)]).await;
        // The deadline may have passed when only the decline, which was too late, was still to come.
        town.sweep().await;
        assert_eq!(town.status(order).await, Searching);
        let mut history = town.history(order).await;
        history.retain(|kind| kind.starts_with("offer_"));
        let is_declined = outcomes[0] == Outcome::Done;
        assert_eq!(history, [if is_declined { "offer_declined" } else { "offer_expired" }], "it ended once");
        assert!(if is_declined { millis < 0 } else { millis + TICKS >= 0 }, "{millis} ms: {history:?}");
        *endings.entry(history.remove(0)).or_default() += 1;
        town.check_invariants().await;
    }
    assert_eq!(endings.len(), 2, "{endings:?}");
}
