//! When the driver comes, as driver and rider are told.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::{TripStep, town::Town};
use crate::{
    accounts::User,
    eta::testing::{Mood, OsrmServer},
    gateway::testing::Peer,
};

/// Seconds that so many of the town's kilometres take at 25 km/h with a detour of 1.4.
fn seconds_for(km: f64) -> u64 {
    // A degree of latitude is 111.195 km, and the town takes 0.009 degrees for a kilometre.
    (km * 0.009 * 111.195 * 1.4 / 25.0 * 3_600.0).round() as u64
}

async fn update(town: &Town, driver: &User, km: f64, peer: &mut Peer) -> Value {
    town.clock.advance(Duration::from_secs(1));
    town.locate(driver, km).await;
    peer.hear_type("driver_location_update").await
}

/// The order as its rider is shown it.
async fn shown(town: &Town, order: i64) -> Value {
    serde_json::to_value(town.orders.view(&town.order(order).await)).unwrap()
}

async fn accepted(town: &Town, driver: &Arc<User>) -> i64 {
    let order = town.offered_to(driver).await;
    town.accept(order, driver).await.unwrap();
    order
}

#[tokio::test]
async fn the_time_goes_to_the_pickup_and_then_to_the_destination() {
    let mut town = Town::new(&[]).await;
    let driver = town.driver_at("driver", 2.0).await;
    let mut phone = town.connect(&driver).await;
    let order = town.create().await;
    assert_eq!(shown(&town, order).await.get("eta_seconds"), None, "nobody is on his way");
    town.assign(order, &driver).await.unwrap();
    for kind in ["connection_established", "initial_orders"] {
        phone.hear_type(kind).await;
    }
    assert_eq!(phone.hear_type("new_order").await["order"]["eta_seconds"], seconds_for(2.0));
    town.accept(order, &driver).await.unwrap();
    assert_eq!(phone.hear_type("order_accepted").await["order"]["eta_seconds"], seconds_for(2.0));

    let mut rider = town.follow(order, &town.rider).await;
    rider.hear_type("connection_established").await;
    assert_eq!(rider.hear_type("driver_location_update").await["eta_seconds"], seconds_for(2.0));
    assert_eq!(update(&town, &driver, 1.0, &mut rider).await["eta_seconds"], seconds_for(1.0));
    town.step(order, &driver, TripStep::Arrive).await.unwrap();
    assert_eq!(update(&town, &driver, 0.0, &mut rider).await.get("eta_seconds"), None, "he is there");
    assert_eq!(shown(&town, order).await.get("eta_seconds"), None);
    town.step(order, &driver, TripStep::Start).await.unwrap();
    assert_eq!(update(&town, &driver, 1.0, &mut rider).await["eta_seconds"], seconds_for(4.0), "it is 5 km north");
    assert_eq!(shown(&town, order).await["eta_seconds"], seconds_for(4.0));

    town.restart().await;
    let mut rider = town.follow(order, &town.rider).await;
    rider.hear_type("connection_established").await;
    assert_eq!(rider.hear_type("driver_location_update").await["eta_seconds"], seconds_for(4.0));
    town.step(order, &driver, TripStep::Complete).await.unwrap();
    assert_eq!(shown(&town, order).await.get("eta_seconds"), None, "it is over");
}

#[tokio::test]
async fn what_the_roads_say_comes_with_the_next_position_and_the_next_view() {
    let osrm = OsrmServer::start(Mood::Takes(777.0)).await;
    let town = Town::new(&[("ROUTING_URL", &osrm.url())]).await;
    let driver = town.driver_at("driver", 1.0).await;
    let order = accepted(&town, &driver).await;
    let mut rider = town.follow(order, &town.rider).await;
    rider.hear_type("connection_established").await;
    rider.hear_type("driver_location_update").await;
    osrm.wait_for(1).await;
    // The answer is on its way: each position tells what is known.
    let known = async { while update(&town, &driver, 1.0, &mut rider).await["eta_seconds"] != json!(777) {} };
    tokio::time::timeout(Duration::from_secs(20), known).await.expect("the answer arrives");
    assert_eq!(shown(&town, order).await["eta_seconds"], 777);
    assert_eq!(osrm.asked(), ["69.200000,41.309000;69.200000,41.300000"]);
}
