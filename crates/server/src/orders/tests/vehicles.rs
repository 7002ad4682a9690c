//! What orders ask of vehicles.

use holodrive_protocol::{OrderId, UserId};

use super::town::Town;
use crate::{
    accounts::User,
    dispatch::{Match, Needs, Vehicle},
    orders::{NewOrder, OrderError},
};

async fn drives(town: &Town, driver: &User, classes: &[&str], seats: u32) {
    let vehicle = Vehicle { classes: classes.iter().map(|class| (*class).to_owned()).collect(), seats };
    let id = driver.id;
    town.write(move |orders, tx| orders.set_vehicle(tx, id, vehicle)).await.unwrap();
}

async fn order(town: &Town, vehicle_class: Option<&str>, seats: Option<u32>) -> OrderId {
    let needs = Needs { vehicle_class: vehicle_class.map(str::to_owned), seats };
    let new = NewOrder { needs, ..town.request() };
    town.write(move |orders, tx| orders.create(tx, &new)).await.unwrap().id
}

/// To whom an order goes that asks for this.
async fn asked(town: &Town, vehicle_class: Option<&str>, seats: Option<u32>) -> Option<UserId> {
    let order = order(town, vehicle_class, seats).await;
    town.settle().await;
    let asked = town.asked(order).await;
    town.cancel(order, &town.rider).await.unwrap();
    asked
}

#[tokio::test]
async fn an_order_goes_to_the_nearest_who_has_what_it_asks_for() {
    let town = Town::new(&[]).await;
    let (unknown, car, bus) =
        (town.driver_at("unknown", 0.5).await, town.driver_at("car", 1.0).await, town.driver_at("bus", 2.0).await);
    drives(&town, &car, &["economy", "comfort"], 4).await;
    drives(&town, &bus, &["comfort"], 16).await;
    assert_eq!(asked(&town, None, None).await, Some(unknown.id), "who declared nothing serves who asks nothing");
    assert_eq!(asked(&town, Some("comfort"), None).await, Some(car.id));
    assert_eq!(asked(&town, Some("comfort"), Some(5)).await, Some(bus.id));
    assert_eq!(asked(&town, None, Some(4)).await, Some(car.id));
    assert_eq!(asked(&town, Some("economy"), Some(5)).await, None);
    assert_eq!(asked(&town, Some("Comfort"), None).await, None, "classes are words as they are");
}

#[tokio::test]
async fn what_is_said_later_counts_at_once_and_after_a_restart() {
    let mut town = Town::new(&[]).await;
    let driver = town.driver_at("driver", 1.0).await;
    let waiting = order(&town, Some("van, \"large\""), Some(8)).await;
    town.settle().await;
    assert_eq!(town.asked(waiting).await, None);
    drives(&town, &driver, &["van, \"large\""], 8).await;
    town.settle().await;
    assert_eq!(town.asked(waiting).await, Some(driver.id));
    town.decline(waiting, &driver).await.unwrap();
    town.restart().await;
    assert_eq!(asked(&town, Some("van, \"large\""), None).await, Some(driver.id));
    drives(&town, &driver, &[], 3).await;
    assert_eq!(asked(&town, Some("van, \"large\""), None).await, None);
    let view = town.orders.view(&town.order(waiting).await);
    assert_eq!((view.vehicle_class.as_deref(), view.seats), (Some("van, \"large\""), Some(8)));
}

#[tokio::test]
async fn a_stale_board_does_not_decide_and_staff_may_overrule() {
    let town = Town::new(&[("DISPATCH_MODE", "manual")]).await;
    let driver = town.driver_at("driver", 1.0).await;
    let order_id = order(&town, Some("comfort"), None).await;
    let found = Match { order_id, driver_id: driver.id, distance_km: None, considered: Vec::new() };
    std::sync::Arc::clone(&town.orders).make_one_offer(found).await;
    assert_eq!(town.asked(order_id).await, None);
    town.assign(order_id, &driver).await.unwrap();
    assert_eq!(town.asked(order_id).await, Some(driver.id));
}

#[tokio::test]
async fn only_drivers_drive() {
    let town = Town::new(&[]).await;
    let driver = town.driver("driver").await;
    let (id, rider) = (driver.id, town.rider.id);
    let unsaid = town.write(move |orders, tx| orders.vehicle(tx, id)).await.unwrap();
    assert_eq!((unsaid.classes, unsaid.seats), (Vec::new(), None));
    let refused = town.write(move |orders, tx| orders.set_vehicle(tx, rider, Vehicle::default())).await;
    assert!(matches!(refused, Err(OrderError::NotFound)));
    let refused = town.write(move |orders, tx| orders.vehicle(tx, rider)).await;
    assert!(matches!(refused, Err(OrderError::NotFound)));
}
