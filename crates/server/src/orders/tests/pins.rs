//! The PIN that a driver needs to start.

use std::{sync::Arc, time::Duration};

use holodrive_protocol::{OrderId, OrderStatus::InProgress};
use serde_json::{Value, json};

use super::{TripStep, town::Town};
use crate::{
    accounts::User,
    gateway::{Opening, testing::Peer},
    orders::{OrderError, Pin, RiderOrdersEndpoint, store, trips::Started},
    storage::Tx,
};

const ON: (&str, &str) = ("ORDER_START_PIN", "true");

/// An order whose driver is at the pickup, and its PIN.
async fn arrived(town: &Town, driver: &Arc<User>) -> (OrderId, Pin) {
    let order = town.offered_to(driver).await;
    town.accept(order, driver).await.unwrap();
    town.step(order, driver, TripStep::Arrive).await.unwrap();
    (order, town.order(order).await.pin.unwrap())
}

/// Another one.
fn wrong(pin: &Pin) -> Pin {
    let other = (pin.digits().parse::<u32>().unwrap() + 1) % 10_000;
    Pin::typed(&format!("{other:04}")).unwrap()
}

async fn start(town: &Town, order: OrderId, driver: &User, pin: Option<&Pin>) -> Result<Started, OrderError> {
    let (id, pin) = (driver.id, pin.cloned());
    town.write(move |orders, tx| orders.start(tx, order, id, pin.as_ref())).await
}

async fn tries_left(town: &Town, order: OrderId, driver: &User, pin: &Pin) -> u32 {
    match start(town, order, driver, Some(pin)).await.unwrap() {
        Started::WrongPin { tries_left } => tries_left,
        Started::Now(_) => panic!("it was right"),
    }
}

#[tokio::test]
async fn the_right_pin_starts_the_trip_and_nothing_else_does() {
    let town = Town::new(&[ON]).await;
    let driver = town.driver("driver").await;
    let (order, pin) = arrived(&town, &driver).await;
    assert!(matches!(start(&town, order, &driver, None).await, Err(OrderError::PinMissing)));
    assert!(town.step(order, &driver, TripStep::Start).await.is_err(), "the statement itself asks for it");
    assert_eq!(tries_left(&town, order, &driver, &wrong(&pin)).await, 4);
    let Started::Now(started) = start(&town, order, &driver, Some(&pin)).await.unwrap() else { panic!("wrong") };
    assert_eq!(started.status, InProgress);
    assert_eq!(town.history(order).await[3..], ["arrived", "wrong_pin", "started"]);
    town.step(order, &driver, TripStep::Complete).await.unwrap();
    town.check_invariants().await;
}

#[tokio::test]
async fn five_wrong_ones_in_ten_minutes_are_enough_also_after_a_restart() {
    let mut town = Town::new(&[ON]).await;
    let driver = town.driver("driver").await;
    let (order, pin) = arrived(&town, &driver).await;
    for left in (0..5).rev() {
        assert_eq!(tries_left(&town, order, &driver, &wrong(&pin)).await, left);
        town.clock.advance(Duration::from_mins(1));
    }
    town.restart().await;
    for given in [Some(&pin), Some(&wrong(&pin)), None] {
        let Err(OrderError::TooManyPins { wait }) = start(&town, order, &driver, given).await else { panic!("let in") };
        assert_eq!(wait, Duration::from_mins(5));
    }
    town.clock.advance(Duration::from_mins(5));
    assert_eq!(tries_left(&town, order, &driver, &wrong(&pin)).await, 0, "the first of the five is over");
    town.clock.advance(Duration::from_mins(1));
    assert!(matches!(start(&town, order, &driver, Some(&pin)).await, Ok(Started::Now(_))));
}

#[tokio::test]
async fn the_attempts_of_one_order_are_not_those_of_another() {
    let town = Town::new(&[ON]).await;
    let (one, other) = (town.driver("one").await, town.driver("other").await);
    let ((first, pin), (second, _)) = (arrived(&town, &one).await, arrived(&town, &other).await);
    assert_eq!(tries_left(&town, first, &one, &wrong(&pin)).await, 4);
    assert!(matches!(start(&town, second, &one, Some(&pin)).await, Err(OrderError::NotFound)), "it is not his");
    let pin = town.order(second).await.pin.unwrap();
    assert_eq!(tries_left(&town, second, &other, &wrong(&pin)).await, 4);
}

/// Everything that a connection has been told.
fn told(peer: &mut Peer) -> String {
    json!(peer.heard()).to_string()
}

#[tokio::test]
async fn only_the_rider_is_told_and_only_while_it_matters() {
    let town = Town::new(&[ON]).await;
    let driver = town.driver("driver").await;
    let mut phone = town.connect(&driver).await;
    let riders = RiderOrdersEndpoint::new(Arc::clone(&town.orders));
    let accounts = &town.orders.accounts;
    let mut rider = Peer::connect(&*riders, &town.rider, accounts, Opening::default(), Some(1 << 20)).await.unwrap();
    let (order, pin) = arrived(&town, &driver).await;
    let pins: Vec<Value> = rider.heard().iter().map(|message| message["order"]["pin"].clone()).collect();
    let shown = json!(pin.digits());
    assert_eq!(pins[pins.len() - 2..], [shown.clone(), shown], "accepted, arrived");
    start(&town, order, &driver, Some(&pin)).await.unwrap();
    for screen in [&mut rider, &mut phone, &mut town.connect(&driver).await] {
        let all = told(screen);
        assert!(all.contains("\"status\"") && !all.contains("\"pin\""), "{all}");
    }
    let events = town.write(move |_, tx: &mut Tx<'_>| Ok(store::events(tx, order, 0, i64::MAX)?)).await.unwrap();
    let all = format!("{events:?} {:?}", town.order(order).await);
    assert!(!all.contains(&format!("\"{}\"", pin.digits())), "{all}");
}

#[tokio::test]
async fn the_next_driver_needs_another_pin() {
    let town = Town::new(&[ON]).await;
    let (driver, next) = (town.driver("driver").await, town.driver("next").await);
    let (order, _) = arrived(&town, &driver).await;
    town.release(order, &driver).await.unwrap();
    assert_eq!(town.order(order).await.pin, None);
    town.assign(order, &next).await.unwrap();
    town.accept(order, &next).await.unwrap();
    assert!(town.order(order).await.pin.is_some());
    assert_eq!(town.orders.view(&town.order(order).await).pin, None);
    assert!(town.orders.rider_view(&town.order(order).await).pin.is_some());
}

#[tokio::test]
async fn without_the_setting_nobody_needs_one() {
    let town = Town::new(&[]).await;
    let driver = town.driver("driver").await;
    let order = town.offered_to(&driver).await;
    town.accept(order, &driver).await.unwrap();
    town.step(order, &driver, TripStep::Arrive).await.unwrap();
    assert_eq!(town.order(order).await.pin, None);
    assert!(matches!(start(&town, order, &driver, None).await, Ok(Started::Now(_))));
}

#[test]
fn four_digits_and_nothing_else() {
    for text in ["", "123", "12345", "12a4", "１２３４", "-123", " 123"] {
        assert_eq!(Pin::typed(text), None, "{text}");
    }
    assert_eq!(Pin::typed("0042").unwrap().digits(), "0042");
    for _ in 0..1_000 {
        assert!(Pin::typed(Pin::random().digits()).is_some());
    }
}
