//! What a driver's connections are told: each offer once, each end once.

use std::time::Duration;

use serde_json::{Value, json};

use super::{TripStep, town::Town};
use crate::{accounts::User, gateway::testing::Peer};

/// The types and orders of what a connection has been told since the last look.
fn told(peer: &mut Peer) -> Vec<(String, i64)> {
    let id = |message: &Value| message["order_id"].as_i64().or(message["order"]["id"].as_i64()).unwrap_or_default();
    peer.heard().iter().map(|message| (message["type"].as_str().unwrap().to_owned(), id(message))).collect()
}

/// A connection that has been told what there is.
async fn connected(town: &Town, driver: &std::sync::Arc<User>) -> Peer {
    let mut peer = town.connect(driver).await;
    peer.hear_type("connection_established").await;
    peer.hear_type("initial_orders").await;
    peer
}

fn only(kind: &str, order: i64) -> Vec<(String, i64)> {
    vec![(kind.to_owned(), order)]
}

#[tokio::test]
async fn established_then_what_is_live_then_what_comes() {
    let town = Town::new(&[("ORDER_OFFERS_PER_DRIVER", "2"), ("ORDER_OFFER_TIMEOUT", "20")]).await;
    let driver = town.driver_at("driver", 2.5).await;
    let first = town.offered_to(&driver).await;
    town.clock.advance(Duration::from_secs(5));
    let mut peer = town.connect(&driver).await;
    let established = peer.hear().await;
    let expected = json!({
        "type": "connection_established", "message": "Connected to driver orders", "driver_id": driver.id,
    });
    assert_eq!(established, expected);
    let initial = peer.hear().await;
    assert_eq!((&initial["type"], &initial["message"]), (&json!("initial_orders"), &json!("Current pending orders")));
    let shown = &initial["orders"][0];
    assert_eq!((shown["id"].as_i64(), shown["remaining_ms"].as_i64()), (Some(first), Some(15_000)));
    let second = town.offered_to(&driver).await;
    let new = peer.hear_type("new_order").await;
    assert_eq!(new["message"], "New ride request available");
    let order = &new["order"];
    assert_eq!((order["id"].as_i64(), &order["status"]), (Some(second), &json!("pending")));
    assert_eq!((&order["order_code"], &order["order_type"]), (&json!("ORD-000002"), &json!("pickup")));
    assert_eq!((&order["latitude_from"], &order["distance_to_pickup_km"]), (&json!("41.300000"), &json!(2.5)));
    assert_eq!((&order["remaining_ms"], &order["expires_at"]), (&json!(20_000), &json!("2027-01-01T00:00:25+00:00")));
    assert!(peer.heard().is_empty());
}

#[tokio::test]
async fn an_overdue_offer_is_not_shown_to_who_connects() {
    let town = Town::new(&[("ORDER_OFFER_TIMEOUT", "20")]).await;
    let driver = town.driver("driver").await;
    town.offered_to(&driver).await;
    let mut before = connected(&town, &driver).await;
    town.clock.advance(Duration::from_secs(20));
    let mut peer = town.connect(&driver).await;
    peer.hear_type("connection_established").await;
    assert_eq!(peer.hear_type("initial_orders").await["orders"], json!([]));
    assert_eq!(told(&mut before), only("order_timeout", 1), "it ended there and then");
}

#[tokio::test]
async fn accepting_is_told_to_every_connection_once() {
    let town = Town::new(&[]).await;
    let driver = town.driver("driver").await;
    let (mut one, mut two) = (connected(&town, &driver).await, connected(&town, &driver).await);
    let order = town.offered_to(&driver).await;
    for peer in [&mut one, &mut two] {
        assert_eq!(told(peer), only("new_order", order));
    }
    one.say(json!({"type": "accept_order", "order_id": order})).await;
    for peer in [&mut one, &mut two] {
        let message = peer.hear_type("order_accepted").await;
        assert_eq!(
            (&message["order"]["status"], &message["order"]["driver_id"]),
            (&json!("accepted"), &json!(driver.id))
        );
        assert!(message["order"]["conversation_id"].is_i64());
        assert!(peer.heard().is_empty());
    }
    one.say(json!({"type": "accept_order", "order_id": order})).await;
    assert_eq!(told(&mut one), only("order_accepted", order), "the same answer again, to him who asks");
    assert!(told(&mut two).is_empty());
    let mut late = connected(&town, &driver).await;
    assert_eq!(told(&mut late), only("active_ride_snapshot", order));
}

#[tokio::test]
async fn declining_is_answered_here_and_a_timeout_elsewhere() {
    let town = Town::new(&[]).await;
    let driver = town.driver("driver").await;
    let (mut one, mut two) = (connected(&town, &driver).await, connected(&town, &driver).await);
    let order = town.offered_to(&driver).await;
    one.say(json!({"type": "decline_order", "order_id": order})).await;
    assert_eq!(told(&mut one)[1..], only("order_declined", order));
    assert_eq!(told(&mut two)[1..], only("order_timeout", order));
    one.say(json!({"type": "decline_order", "order_id": order})).await;
    let error = one.hear_type("error").await;
    assert_eq!((&error["code"], &error["reason"]), (&json!("offer_expired"), &json!("expired")));
    town.assign(order, &driver).await.unwrap();
    town.decline(order, &driver).await.unwrap();
    for peer in [&mut one, &mut two] {
        assert_eq!(told(peer), [("new_order".to_owned(), order), ("order_timeout".to_owned(), order)], "over HTTP");
    }
}

#[tokio::test]
async fn every_other_end_is_told_once_by_its_name() {
    let town = Town::new(&[("ORDER_OFFER_TIMEOUT", "20"), ("DISPATCH_MODE", "manual")]).await;
    let (driver, other) = (town.driver("driver").await, town.driver("other").await);
    let mut peer = connected(&town, &driver).await;
    for kind in ["order_timeout", "order_cancelled_by_rider", "order_cancelled"] {
        let order = town.offered_to(&driver).await;
        assert_eq!(told(&mut peer), only("new_order", order));
        match kind {
            "order_timeout" => town.assign(order, &other).await.map(drop),
            "order_cancelled" => town.cancel(order, &town.staff).await.map(drop),
            _ => town.cancel(order, &town.rider).await.map(drop),
        }
        .unwrap();
        assert_eq!(told(&mut peer), only(kind, order));
    }
    let order = town.offered_to(&driver).await;
    town.pass(Duration::from_secs(20)).await;
    town.sweep().await;
    assert_eq!(told(&mut peer)[1..], only("order_timeout", order));
}

#[tokio::test]
async fn a_cancelled_trip_is_told_like_a_cancelled_offer() {
    let town = Town::new(&[]).await;
    let driver = town.driver("driver").await;
    for (user, kind) in [(&town.rider, "order_cancelled_by_rider"), (&town.staff, "order_cancelled")] {
        let order = town.offered_to(&driver).await;
        town.accept(order, &driver).await.unwrap();
        let mut peer = connected(&town, &driver).await;
        assert_eq!(told(&mut peer), only("active_ride_snapshot", order));
        town.step(order, &driver, TripStep::Arrive).await.unwrap();
        town.cancel(order, user).await.unwrap();
        assert_eq!(told(&mut peer), only(kind, order));
        peer.hang_up().await;
    }
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_with_order_and_reason() {
    let town = Town::new(&[]).await;
    let driver = town.driver("driver").await;
    let mut peer = connected(&town, &driver).await;
    for kind in ["accept_order", "decline_order"] {
        peer.say(json!({"type": kind, "order_id": 99})).await;
        let error = peer.hear_type("error").await;
        assert_eq!((&error["code"], &error["reason"]), (&json!("offer_expired"), &json!("not_offered")));
        assert_eq!(error["order_id"], 99);
    }
    peer.say(json!({"type": "ack_order", "order_id": 99})).await;
    assert_eq!(peer.hear_type("error").await["code"], "not_found");
}

#[tokio::test]
async fn a_position_from_the_socket_counts_at_once_and_is_stored() {
    let mut town = Town::new(&[]).await;
    let driver = town.driver("driver").await;
    let mut peer = connected(&town, &driver).await;
    peer.say(json!({"type": "location", "latitude": 41.345, "longitude": "69.2"})).await;
    let order = town.create().await;
    town.settle().await;
    assert_eq!(peer.hear_type("new_order").await["order"]["distance_to_pickup_km"], 5.0);
    town.orders.save_positions().await;
    town.restart().await;
    assert!(town.orders.board.driver_at(driver.id).is_some());
    assert_eq!(town.asked(order).await, Some(driver.id));
}

#[tokio::test]
async fn who_is_no_driver_is_not_let_in() {
    let town = Town::new(&[]).await;
    let rider = std::sync::Arc::clone(&town.rider);
    assert_eq!(town.try_connect(&rider).await.err().map(|close| close.code), Some(4403));
}

#[tokio::test]
async fn followers_hear_a_driver_once_a_second_and_who_gave_the_order_back_hears_no_more() {
    let town = Town::new(&[]).await;
    let (driver, next) = (town.driver_at("driver", 1.0).await, town.driver_at("next", 2.0).await);
    let order = town.offered_to(&driver).await;
    town.accept(order, &driver).await.unwrap();
    let (mut rider, mut own) = (town.follow(order, &town.rider).await, town.follow(order, &driver).await);
    let latitude = |peer: &mut Peer| peer.heard().pop().map(|message| message["latitude"].clone());
    for peer in [&mut rider, &mut own] {
        peer.hear_type("connection_established").await;
        assert_eq!(peer.hear_type("driver_location_update").await["latitude"], "41.309000", "the last one at once");
    }
    assert!(town.try_follow(order, &next).await.is_err());
    town.locate(&driver, 0.9).await;
    assert_eq!(latitude(&mut rider), Some(json!("41.308100")));
    town.clock.advance(Duration::from_millis(999));
    town.locate(&driver, 0.8).await;
    assert_eq!(latitude(&mut rider), None, "at most one a second");
    town.set_back(Duration::from_secs(500));
    town.locate(&driver, 0.7).await;
    assert_eq!(latitude(&mut rider), Some(json!("41.306300")), "a clock that was set back silences nobody");
    assert_eq!(latitude(&mut own), Some(json!("41.306300")));

    town.release(order, &driver).await.unwrap();
    town.assign(order, &next).await.unwrap();
    town.accept(order, &next).await.unwrap();
    town.locate(&next, 1.5).await;
    assert_eq!(latitude(&mut rider), Some(json!("41.313500")));
    assert_eq!(latitude(&mut own), None, "where the next driver is is not his business");
}

#[tokio::test]
async fn followers_are_not_told_an_older_position_after_a_newer_one() {
    let town = Town::new(&[]).await;
    let driver = town.driver_at("driver", 1.0).await;
    let order = town.offered_to(&driver).await;
    town.accept(order, &driver).await.unwrap();
    let mut rider = town.follow(order, &town.rider).await;
    rider.hear_type("connection_established").await;
    rider.hear_type("driver_location_update").await;
    town.locate(&driver, 0.9).await;
    town.locate(&driver, 0.8).await;
    let mut told =
        || rider.heard().iter().map(|message| message["latitude"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let tell_held_back = || town.orders.positions.tell_held_back(driver.id, Some(order));
    assert_eq!(told(), ["41.308100"], "the other one is held back");
    town.clock.advance(Duration::from_secs(1));
    town.locate(&driver, 0.7).await;
    tell_held_back();
    assert_eq!(told(), ["41.306300"], "what was held back is not told after that");

    town.set_back(Duration::from_millis(1));
    town.locate(&driver, 0.6).await;
    assert!(told().is_empty(), "he who read the clock a moment before is not told at once");
    town.clock.advance(Duration::from_millis(1_001));
    tell_held_back();
    assert_eq!(told(), ["41.305400"]);
}
