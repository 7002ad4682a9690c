//! Orders for later.

use std::time::Duration;

use holodrive_protocol::{
    OrderId,
    OrderStatus::{Accepted, Cancelled, NoDriver, Searching},
    Timestamp,
};

use super::town::Town;
use crate::{dispatch::NEVER, orders::OrderError};

const HOUR: Duration = Duration::from_hours(1);
const LEAD: Duration = Duration::from_secs(900);
const SEARCH: Duration = Duration::from_secs(900);
const A_MOMENT: Duration = Duration::from_micros(1);

async fn try_book(town: &Town, pickup_at: Timestamp) -> Result<OrderId, OrderError> {
    let new = crate::orders::NewOrder { pickup_at: Some(pickup_at), ..town.request() };
    town.write(move |orders, tx| orders.create(tx, &new)).await.map(|order| order.id)
}

/// An order for this time from now.
async fn book(town: &Town, ahead: Duration) -> OrderId {
    try_book(town, town.now().after(ahead)).await.unwrap()
}

#[tokio::test]
async fn nobody_is_asked_before_the_lead_begins_and_then_the_search_has_all_its_time() {
    let town = Town::new(&[("DRIVER_STALE_AFTER", "100000")]).await;
    let driver = town.driver_at("driver", 1.0).await;
    let order = book(&town, HOUR).await;
    town.settle().await;
    town.pass(HOUR - LEAD - A_MOMENT).await;
    assert_eq!((town.status(order).await, town.asked(order).await), (Searching, None));
    town.pass(A_MOMENT).await;
    assert_eq!(town.asked(order).await, Some(driver.id));
    let view = town.orders.view(&town.order(order).await);
    assert_eq!(view.pickup_at, Some(town.now().after(LEAD)));
}

#[tokio::test]
async fn its_search_ends_so_long_after_the_pickup() {
    let town = Town::new(&[]).await;
    let order = book(&town, HOUR).await;
    town.pass(HOUR + SEARCH - A_MOMENT).await;
    assert_eq!(town.status(order).await, Searching);
    town.pass(A_MOMENT).await;
    assert_eq!(town.status(order).await, NoDriver);
    assert_eq!(town.notices().await, ["order_no_driver"]);
}

#[tokio::test]
async fn nobody_is_given_up_before_his_pickup() {
    let town = Town::new(&[("ORDER_SEARCH_TIMEOUT", "300"), ("DRIVER_STALE_AFTER", "100000")]).await;
    let (early, soon) = (book(&town, HOUR).await, book(&town, LEAD - A_MOMENT).await);
    let driver = town.driver("driver").await;
    town.assign(early, &driver).await.unwrap();
    town.accept(early, &driver).await.unwrap();
    town.pass(LEAD).await;
    assert_eq!(town.status(soon).await, Searching);
    town.pass(HOUR - LEAD - LEAD).await;
    town.release(early, &driver).await.unwrap();
    town.pass(LEAD).await;
    assert_eq!((town.status(early).await, town.status(soon).await), (Searching, NoDriver));
}

#[tokio::test]
async fn within_the_lead_it_is_an_order_like_any_other() {
    let town = Town::new(&[]).await;
    let driver = town.driver_at("driver", 1.0).await;
    let order = book(&town, LEAD).await;
    town.settle().await;
    assert_eq!(town.asked(order).await, Some(driver.id));
}

#[tokio::test]
async fn a_plan_made_too_early_is_not_carried_out() {
    let town = Town::new(&[]).await;
    let driver = town.driver_at("driver", 1.0).await;
    let order = book(&town, HOUR).await;
    let hasty = crate::dispatch::Match { order_id: order, driver_id: driver.id, distance_km: None, considered: vec![] };
    std::sync::Arc::clone(&town.orders).make_one_offer(hasty).await;
    assert_eq!(town.asked(order).await, None);
}

#[tokio::test]
async fn it_survives_a_restart() {
    let mut town = Town::new(&[("DRIVER_STALE_AFTER", "100000")]).await;
    let driver = town.driver_at("driver", 1.0).await;
    let order = book(&town, HOUR).await;
    town.restart().await;
    town.settle().await;
    assert_eq!(town.asked(order).await, None);
    town.pass(HOUR - LEAD).await;
    assert_eq!(town.asked(order).await, Some(driver.id));
    town.check_invariants().await;
}

#[tokio::test]
async fn it_can_be_cancelled_and_staff_may_give_it_away_at_any_time() {
    let town = Town::new(&[]).await;
    let driver = town.driver("driver").await;
    let cancelled = book(&town, HOUR).await;
    town.cancel(cancelled, &town.rider).await.unwrap();
    assert_eq!(town.status(cancelled).await, Cancelled);
    let assigned = book(&town, HOUR).await;
    town.assign(assigned, &driver).await.unwrap();
    town.accept(assigned, &driver).await.unwrap();
    assert_eq!(town.status(assigned).await, Accepted);
}

#[tokio::test]
async fn given_back_it_waits_for_its_time_again() {
    let town = Town::new(&[("DRIVER_STALE_AFTER", "100000")]).await;
    let (early, other) = (town.driver_at("early", 1.0).await, town.driver_at("other", 2.0).await);
    let order = book(&town, HOUR).await;
    town.assign(order, &early).await.unwrap();
    town.accept(order, &early).await.unwrap();
    town.release(order, &early).await.unwrap();
    town.settle().await;
    assert_eq!(town.asked(order).await, None, "there is time");
    town.pass(HOUR - LEAD).await;
    assert_eq!(town.asked(order).await, Some(other.id));
    town.accept(order, &other).await.unwrap();
    town.pass(LEAD).await;
    town.release(order, &other).await.unwrap();
    let order = town.order(order).await;
    assert_eq!(order.search_from, order.pickup_at.unwrap().before(LEAD), "it has waited since then");
    assert_eq!(order.search_until, town.now().after(SEARCH));
}

#[tokio::test]
async fn the_lead_is_a_setting() {
    let town = Town::new(&[("ORDER_SCHEDULE_LEAD", "0")]).await;
    let order = town.order(book(&town, HOUR).await).await;
    assert_eq!(Some(order.search_from), order.pickup_at);
}

#[tokio::test]
async fn the_past_and_the_far_future_are_refused() {
    let town = Town::new(&[]).await;
    let month = HOUR * 24 * 30;
    for at in [town.now(), town.now().before(A_MOMENT), town.now().after(month + A_MOMENT), NEVER] {
        assert!(matches!(try_book(&town, at).await, Err(OrderError::PickupTime)), "{at}");
    }
    for at in [town.now().after(A_MOMENT), town.now().after(month)] {
        try_book(&town, at).await.unwrap();
    }
}
