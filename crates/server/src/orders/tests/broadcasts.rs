//! Orders that are offered to several drivers at once.

use std::{sync::Arc, time::Duration};

use holodrive_protocol::{
    OrderStatus::{Accepted, Cancelled, NoDriver, Pending, Searching},
    UserId,
    socket::OfferExpiredReason,
};
use serde_json::json;

use super::super::OrderError;
use super::town::Town;
use crate::accounts::User;

async fn town_with(drivers: u8) -> (Town, Vec<Arc<User>>) {
    let settings = [
        ("DISPATCH_STRATEGY", "broadcast"),
        ("DISPATCH_BROADCAST_OFFERS", "3"),
        ("ORDER_OFFER_TIMEOUT", "20"),
        ("ORDER_OFFER_UNREACHABLE_TIMEOUT", "0"),
        ("ORDER_REOFFER_AFTER", "1000"),
        ("ORDER_SEARCH_TIMEOUT", "60"),
    ];
    let town = Town::new(&settings).await;
    let mut all = Vec::new();
    for number in 1..=drivers {
        all.push(town.driver_at(&format!("driver{number}"), number.into()).await);
    }
    (town, all)
}

fn ids(drivers: &[Arc<User>]) -> Vec<UserId> {
    drivers.iter().map(|driver| driver.id).collect()
}

async fn asked(town: &Town, order: i64) -> Vec<UserId> {
    let mut asked: Vec<_> = town.order(order).await.offers.iter().map(|offer| offer.driver_id).collect();
    asked.sort_unstable();
    asked
}

fn reason<T>(refused: Result<T, OrderError>) -> OfferExpiredReason {
    match refused {
        Err(OrderError::OfferExpired(reason)) => reason,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was not refused"),
    }
}

#[tokio::test]
async fn the_first_who_accepts_has_it_and_the_others_are_told() {
    let (town, drivers) = town_with(5).await;
    let mut second = town.connect(&drivers[1]).await;
    let order = town.create().await;
    town.settle().await;
    assert_eq!(asked(&town, order).await, ids(&drivers[..3]));
    assert_eq!(town.poll(&drivers[2]).await.offers[0].offers.len(), 1, "a driver sees his own offer alone");
    town.accept(order, &drivers[0]).await.unwrap();
    assert_eq!((town.status(order).await, asked(&town, order).await), (Accepted, Vec::new()));
    let told = second.heard();
    assert_eq!(
        told.last().unwrap(),
        &json!({
            "type": "order_timeout", "order_id": order, "message": "Order expired or reassigned to another driver",
        })
    );
    assert_eq!(reason(town.accept(order, &drivers[1]).await), OfferExpiredReason::Taken);
    town.accept(order, &drivers[0]).await.unwrap();
    assert_eq!(reason(town.accept(order, &drivers[3]).await), OfferExpiredReason::NotOffered);
    town.release(order, &drivers[0]).await.unwrap();
    assert_eq!(reason(town.accept(order, &drivers[2]).await), OfferExpiredReason::Taken, "somebody had it meanwhile");
    town.check_invariants().await;
}

#[tokio::test]
async fn a_place_that_becomes_free_is_filled_with_the_next() {
    let (town, drivers) = town_with(5).await;
    let order = town.create().await;
    town.settle().await;
    town.decline(order, &drivers[1]).await.unwrap();
    assert_eq!(town.status(order).await, Pending, "two have it still");
    town.settle().await;
    assert_eq!(asked(&town, order).await, [drivers[0].id, drivers[2].id, drivers[3].id]);
    for driver in [0, 2, 3] {
        town.decline(order, &drivers[driver]).await.unwrap();
    }
    assert_eq!(town.status(order).await, Searching);
    town.settle().await;
    assert_eq!(asked(&town, order).await, [drivers[4].id]);
    town.check_invariants().await;
}

#[tokio::test]
async fn all_end_at_the_deadline_and_the_search_at_its_own() {
    let (town, drivers) = town_with(4).await;
    let order = town.create().await;
    town.settle().await;
    town.pass(Duration::from_secs(20)).await;
    assert_eq!(asked(&town, order).await, [drivers[3].id]);
    town.pass(Duration::from_secs(20)).await;
    assert_eq!(town.status(order).await, Searching);
    town.pass(Duration::from_secs(20)).await;
    assert_eq!(town.status(order).await, NoDriver);
    town.check_invariants().await;
}

#[tokio::test]
async fn cancelling_ends_them_all_and_staff_choose_one_alone() {
    let (town, drivers) = town_with(5).await;
    let (cancelled, given) = (town.create().await, town.create().await);
    town.settle().await;
    town.cancel(cancelled, &town.rider).await.unwrap();
    assert_eq!((town.status(cancelled).await, asked(&town, cancelled).await), (Cancelled, Vec::new()));
    town.settle().await;
    assert_eq!(asked(&town, given).await.len(), 3);
    town.assign(given, &drivers[4]).await.unwrap();
    town.settle().await;
    assert_eq!(asked(&town, given).await, [drivers[4].id]);
    town.decline(given, &drivers[4]).await.unwrap();
    town.settle().await;
    assert_eq!(asked(&town, given).await, ids(&drivers[1..3]), "the others had it a moment ago");
    town.check_invariants().await;
}

#[tokio::test]
async fn a_restart_goes_on_with_all_of_them() {
    let (mut town, drivers) = town_with(2).await;
    let order = town.create().await;
    town.settle().await;
    town.restart().await;
    let third = town.driver_at("third", 3.0).await;
    town.settle().await;
    assert_eq!(asked(&town, order).await, [drivers[0].id, drivers[1].id, third.id]);
    town.pass(Duration::from_secs(20)).await;
    assert_eq!(town.status(order).await, Searching);
    town.check_invariants().await;
}

#[tokio::test]
async fn nobody_is_looked_for_once_the_order_is_taken_although_more_could_have_been_asked() {
    let (town, drivers) = town_with(2).await;
    let order = town.create().await;
    town.settle().await;
    assert_eq!(town.orders.board.look(|board| board.counts()), (2, 1), "there is room for a third");
    town.accept(order, &drivers[0]).await.unwrap();
    assert_eq!(town.orders.board.look(|board| board.counts()), (0, 0));
    town.check_invariants().await;
}

#[tokio::test]
async fn two_nodes_with_the_same_plan_ask_each_driver_once() {
    let settings =
        [("DISPATCH_STRATEGY", "broadcast"), ("DISPATCH_BROADCAST_OFFERS", "3"), ("ORDER_OFFERS_PER_DRIVER", "2")];
    let here = Town::new(&settings).await;
    let there = here.node().await;
    let drivers = [here.driver_at("near", 1.0).await, here.driver_at("far", 2.0).await];
    let order = here.create().await;
    there.catch_up().await;
    let plans = [&here, &there].map(|node| (node, node.orders.plan(node.now()).matches));
    for (node, matches) in plans {
        assert_eq!(matches.len(), 2);
        for found in matches {
            Arc::clone(&node.orders).make_one_offer(found).await;
        }
        assert_eq!(asked(&here, order).await, ids(&drivers));
        // An index would refuse a second one in the last moment; so it does not come to that.
        node.check_invariants().await;
    }
}

#[tokio::test]
async fn whom_staff_choose_among_those_who_are_asked_is_left_alone_with_it() {
    let (mut town, drivers) = town_with(5).await;
    let order = town.create().await;
    let hasty = town.orders.plan(town.now()).matches;
    for found in &hasty[..2] {
        Arc::clone(&town.orders).make_one_offer(found.clone()).await;
    }
    town.assign(order, &drivers[1]).await.unwrap();
    assert_eq!(hasty[2].driver_id, drivers[2].id);
    Arc::clone(&town.orders).make_one_offer(hasty[2].clone()).await;
    town.settle().await;
    assert_eq!(asked(&town, order).await, [drivers[1].id]);
    town.restart().await;
    town.settle().await;
    assert_eq!(asked(&town, order).await, [drivers[1].id], "also after a restart");
    town.decline(order, &drivers[1]).await.unwrap();
    town.settle().await;
    assert_eq!(asked(&town, order).await, ids(&drivers[2..]), "then the others");
    town.check_invariants().await;
}
