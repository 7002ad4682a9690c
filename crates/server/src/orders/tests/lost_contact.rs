//! A driver falls silent on his way to the rider.

use std::{sync::Arc, time::Duration};

use holodrive_protocol::{
    OrderId,
    OrderStatus::{Accepted, Arrived, InProgress, Searching},
};
use serde_json::json;

use super::{TripStep, town::Town};
use crate::{accounts::User, orders::store};

const TIMEOUT: Duration = Duration::from_secs(60);

/// A driver on his way.
async fn on_his_way(town: &Town) -> (Arc<User>, OrderId) {
    let driver = town.driver_at("driver", 1.0).await;
    let order = town.offered_to(&driver).await;
    town.accept(order, &driver).await.unwrap();
    (driver, order)
}

async fn watch(town: &Town) {
    town.orders.watch_contact(TIMEOUT, true).await.unwrap();
}

#[tokio::test]
async fn the_order_goes_to_somebody_else() {
    let town = Town::new(&[]).await;
    let (driver, order) = on_his_way(&town).await;
    let other = town.driver_at("other", 2.0).await;
    town.pass(TIMEOUT - Duration::from_millis(1)).await;
    watch(&town).await;
    assert_eq!(town.status(order).await, Accepted);
    town.pass(Duration::from_millis(1)).await;
    watch(&town).await;
    assert_eq!(town.status(order).await, Searching);
    assert_eq!(town.notices().await.last().map(String::as_str), Some("order_searching"));
    let events = town.write(move |_, tx| Ok(store::events(tx, order, 0, i64::MAX)?)).await.unwrap();
    let (_, event) = events.last().unwrap();
    assert_eq!((event.kind.as_str(), event.actor_id), ("unassigned", None));
    assert_eq!(event.details["reason"], json!("unreachable"));
    assert_eq!(event.details["driver_id"], json!(driver.id));

    for driver in [&other, &driver] {
        town.locate(driver, 1.0).await;
    }
    town.settle().await;
    assert_eq!(town.asked(order).await, Some(other.id), "not to him, though he is back");
    town.check_invariants().await;
}

#[tokio::test]
async fn any_sign_of_life_counts() {
    let town = Town::new(&[]).await;
    let (driver, order) = on_his_way(&town).await;
    for sign in ["position", "poll", "step"] {
        town.pass(TIMEOUT - Duration::from_secs(1)).await;
        match sign {
            "position" => town.locate(&driver, 0.5).await,
            "poll" => _ = town.poll(&driver).await,
            _ => _ = town.step(order, &driver, TripStep::Arrive).await.unwrap(),
        }
        town.pass(Duration::from_secs(2)).await;
        watch(&town).await;
        assert_ne!(town.status(order).await, Searching, "{sign}");
    }
    assert_eq!(town.status(order).await, Arrived);
    town.pass(TIMEOUT).await;
    watch(&town).await;
    assert_eq!(town.status(order).await, Searching, "until there is none");
}

#[tokio::test]
async fn a_driver_with_a_socket_at_another_node_is_heard_of() {
    let town = Town::new(&[]).await;
    let (driver, order) = on_his_way(&town).await;
    let his = town.node().await;
    let phone = his.connect(&driver).await;
    for _ in 0..4 {
        town.clock.advance(TIMEOUT / 2);
        for node in [&his, &town] {
            watch(node).await;
        }
        assert_eq!(town.status(order).await, Accepted);
    }
    phone.hang_up().await;
    for _ in 0..2 {
        town.clock.advance(TIMEOUT / 2);
        for node in [&his, &town] {
            watch(node).await;
        }
    }
    assert_eq!(town.status(order).await, Searching);
}

#[tokio::test]
async fn who_could_not_be_heard_keeps_his_order() {
    let town = Town::new(&[]).await;
    let (_, order) = on_his_way(&town).await;
    town.pass(TIMEOUT * 2).await;
    town.orders.watch_contact(TIMEOUT, false).await.unwrap();
    assert_eq!(town.status(order).await, Accepted);
}

#[tokio::test]
async fn nobody_loses_a_rider_who_is_in_his_car() {
    let town = Town::new(&[]).await;
    let (driver, order) = on_his_way(&town).await;
    for step in [TripStep::Arrive, TripStep::Start] {
        town.step(order, &driver, step).await.unwrap();
    }
    town.pass(TIMEOUT * 10).await;
    watch(&town).await;
    assert_eq!(town.status(order).await, InProgress);
}

#[tokio::test]
async fn he_is_told_when_he_comes_back_in_the_same_moment() {
    let town = Town::new(&[]).await;
    let (driver, order) = on_his_way(&town).await;
    town.pass(TIMEOUT).await;
    let elsewhere = town.node().await;
    let mut phone = town.connect(&driver).await;
    phone.heard();
    watch(&elsewhere).await;
    town.catch_up().await;
    let told = phone.heard();
    assert_eq!((&told[0]["type"], &told[0]["order_id"]), (&json!("order_cancelled"), &json!(order)));
}
