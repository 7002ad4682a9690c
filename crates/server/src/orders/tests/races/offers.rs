//! Who makes an offer, against whoever makes another, and against the driver.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;
use holodrive_protocol::{
    OrderStatus::{Accepted as Taken, Pending, Searching},
    http::DriverStatus,
    socket::OfferExpiredReason,
};

use super::{super::town::Town, Outcome, ROUNDS, accepts, dispatches, does, finish, race_round};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn assign_and_the_dispatcher() {
    let town = Town::new(&[]).await;
    let (near, far) = (town.driver_at("near", 1.0).await, town.driver("far").await);
    let mut both_offered = 0;
    for round in 0..ROUNDS {
        let order = town.create().await;
        let (found, orders) = (town.orders.plan(town.now()).matches.remove(0), Arc::clone(&town.orders));
        let (id, staff) = (far.id, town.staff.id);
        let dispatches = async move {
            orders.make_one_offer(found).await;
            Outcome::Done
        };
        let assigns = does(&town, move |orders, tx| orders.assign(tx, order, id, Some(staff)));
        race_round(round, vec![dispatches.boxed(), assigns]).await;
        assert_eq!(town.asked(order).await, Some(far.id), "the word of staff is the last");
        let history = town.history(order).await;
        both_offered += usize::from(history.iter().filter(|kind| *kind == "offered").count() == 2);
        town.check_invariants().await;
        town.cancel(order, &town.rider).await.unwrap();
    }
    assert!((1..ROUNDS).contains(&both_offered), "the dispatcher was first in {both_offered} rounds");
    let order = town.create().await;
    town.settle().await;
    assert_eq!(town.asked(order).await, Some(near.id), "his place was freed each time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_orders_and_one_driver() {
    let town = Town::new(&[("ORDER_OFFERS_PER_DRIVER", "2"), ("DISPATCH_MODE", "manual")]).await;
    let driver = town.driver("driver").await;
    let mut first_won = 0;
    for round in 0..ROUNDS {
        let (first, second) = (town.offered_to(&driver).await, town.offered_to(&driver).await);
        let outcomes = race_round(round, vec![accepts(&town, first, &driver), accepts(&town, second, &driver)]).await;
        let refused = Outcome::Refused(Some(OfferExpiredReason::Expired));
        assert!(outcomes.contains(&Outcome::Won) && outcomes.contains(&refused), "{outcomes:?}");
        first_won += usize::from(outcomes[0] == Outcome::Won);
        let (won, lost) = if outcomes[0] == Outcome::Won { (first, second) } else { (second, first) };
        assert_eq!((town.status(won).await, town.status(lost).await), (Taken, Searching));
        town.check_invariants().await;
        finish(&town, won, &driver).await;
    }
    assert!((1..ROUNDS).contains(&first_won), "the first order was taken in {first_won} rounds");
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
    while town.asked(orders[0]).await.is_none() {
        tokio::task::yield_now().await;
    }
    let mut won = 0;
    for round in 0..10 {
        let racers = orders.iter().flat_map(|order| drivers.iter().map(|driver| accepts(&town, *order, driver)));
        let outcomes = race_round(round, racers.collect()).await;
        won += outcomes.iter().filter(|outcome| **outcome == Outcome::Won).count();
        town.check_invariants().await;
    }
    assert!(won > 0, "nobody took anything");
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn going_offline_and_an_offer() {
    let town = Town::new(&[]).await;
    let driver = town.driver_at("driver", 1.0).await;
    let mut offered = 0;
    for round in 0..ROUNDS {
        town.set_status(&driver, DriverStatus::Online).await;
        let (order, id) = (town.create().await, driver.id);
        let leaves = does(&town, move |orders, tx| Ok(orders.set_status(tx, id, DriverStatus::Offline)?));
        race_round(round, vec![dispatches(&town), leaves]).await;
        let later = town.create().await;
        town.settle().await;
        assert_eq!(town.asked(later).await, None, "he is offline");
        // An offer that was on its way ends like any other; one that was not made leaves the order where it was.
        if town.asked(order).await == Some(driver.id) {
            offered += 1;
            town.decline(order, &driver).await.unwrap();
        }
        assert_eq!(town.status(order).await, Searching);
        town.check_invariants().await;
        for over in [order, later] {
            town.cancel(over, &town.rider).await.unwrap();
        }
    }
    assert!((1..ROUNDS).contains(&offered), "he was asked in {offered} rounds");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hanging_up_and_an_offer() {
    let settings =
        [("ORDER_OFFER_UNREACHABLE_TIMEOUT", "5"), ("ORDER_REOFFER_AFTER", "0"), ("DRIVER_STALE_AFTER", "3600")];
    let town = Town::new(&settings).await;
    let (near, far) = (town.driver("near").await, town.driver_at("far", 2.0).await);
    town.locate(&near, 1.0).await;
    for round in 0..ROUNDS {
        let peer = town.connect(&near).await;
        let order = town.create().await;
        let hangs_up = async move {
            peer.hang_up().await;
            Outcome::Done
        };
        race_round(round, vec![dispatches(&town), hangs_up.boxed()]).await;
        assert_eq!(town.asked(order).await, Some(near.id));
        town.pass(Duration::from_secs(5)).await;
        assert_eq!(town.asked(order).await, Some(far.id), "it reached nobody");
        town.accept(order, &far).await.unwrap();
        town.check_invariants().await;
        finish(&town, order, &far).await;
    }
}
