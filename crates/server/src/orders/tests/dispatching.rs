//! Who is asked, and when.

use std::{sync::Arc, time::Duration};

use holodrive_protocol::{
    OrderStatus::{NoDriver, Pending, Searching},
    http::DriverStatus,
};

use super::{TripStep, town::Town};

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[tokio::test]
async fn the_nearest_first_and_the_next_after_a_decline() {
    let town = Town::new(&[]).await;
    let far = town.driver_at("far", 5.0).await;
    let near = town.driver_at("near", 1.0).await;
    let unknown = town.driver("unknown").await;
    town.set_status(&unknown, DriverStatus::Online).await;
    town.driver_at("beyond", 11.0).await;
    let order = town.create().await;
    for driver in [&near, &far, &unknown] {
        town.settle().await;
        assert_eq!(town.asked(order).await, Some(driver.id));
        town.decline(order, driver).await.unwrap();
    }
    town.settle().await;
    assert_eq!(town.status(order).await, Searching, "there is nobody else");
}

#[tokio::test]
async fn a_driver_without_position_is_asked_last_also_when_both_come_at_once() {
    let town = Town::new(&[]).await;
    let unknown = town.driver("unknown").await;
    let near = town.driver("near").await;
    let order = town.create().await;
    town.settle().await;
    town.locate(&near, 1.0).await;
    town.set_status(&unknown, DriverStatus::Online).await;
    town.set_status(&near, DriverStatus::Online).await;
    town.settle().await;
    assert_eq!(town.asked(order).await, Some(near.id));
}

#[tokio::test]
async fn he_is_asked_again_when_the_cool_down_is_over() {
    let town = Town::new(&[("ORDER_REOFFER_AFTER", "30"), ("DRIVER_STALE_AFTER", "1000")]).await;
    let driver = town.driver_at("driver", 1.0).await;
    let order = town.create().await;
    town.settle().await;
    town.decline(order, &driver).await.unwrap();
    town.settle().await;
    assert_eq!(town.orders.plan(town.now()).wake_at, Some(super::super::service::later(town.now(), seconds(30))));
    town.pass(Duration::from_micros(29_999_999)).await;
    assert_eq!(town.status(order).await, Searching);
    town.pass(Duration::from_micros(1)).await;
    assert_eq!(town.asked(order).await, Some(driver.id));
}

#[tokio::test]
async fn who_gave_an_order_back_is_never_asked_again_even_after_staff_asked_him() {
    let town = Town::new(&[("DRIVER_STALE_AFTER", "100000"), ("ORDER_SEARCH_TIMEOUT", "10000")]).await;
    let driver = town.driver_at("driver", 1.0).await;
    let order = town.create().await;
    town.settle().await;
    town.accept(order, &driver).await.unwrap();
    town.release(order, &driver).await.unwrap();
    town.pass(seconds(1_000)).await;
    assert_eq!(town.status(order).await, Searching);
    town.assign(order, &driver).await.unwrap();
    town.decline(order, &driver).await.unwrap();
    town.pass(seconds(1_000)).await;
    assert_eq!(town.status(order).await, Searching);
    let other = town.create().await;
    town.settle().await;
    assert_eq!(town.asked(other).await, Some(driver.id), "other orders are for him");
}

#[tokio::test]
async fn a_late_driver_gets_the_nearest_waiting_order_at_once() {
    let town = Town::new(&[]).await;
    let (first, _) = (town.create().await, town.create().await);
    town.settle().await;
    let driver = town.driver_at("late", 2.0).await;
    town.settle().await;
    assert_eq!(town.asked(first).await, Some(driver.id), "of two at the same place the older one");
}

#[tokio::test]
async fn whoever_becomes_free_gets_a_waiting_order() {
    let town = Town::new(&[]).await;
    let driver = town.driver_at("driver", 1.0).await;
    let first = town.create().await;
    town.settle().await;
    let second = town.create().await;
    town.settle().await;
    assert_eq!(town.status(second).await, Searching, "he has one offer");
    town.accept(first, &driver).await.unwrap();
    town.settle().await;
    assert_eq!(town.status(second).await, Searching, "he is on a trip");
    for step in [TripStep::Arrive, TripStep::Start, TripStep::Complete] {
        town.step(first, &driver, step).await.unwrap();
        town.settle().await;
    }
    assert_eq!(town.asked(second).await, Some(driver.id));
}

#[tokio::test]
async fn several_offers_at_once_and_one_acceptance_withdraws_the_others() {
    let town = Town::new(&[("ORDER_OFFERS_PER_DRIVER", "3")]).await;
    let driver = town.driver_at("driver", 1.0).await;
    let mut orders = Vec::new();
    for _ in 0..4 {
        orders.push(town.create().await);
    }
    town.settle().await;
    assert_eq!(town.poll(&driver).await.offers.iter().map(|order| order.id).collect::<Vec<_>>(), orders[..3]);
    assert_eq!(town.status(orders[3]).await, Searching);
    town.accept(orders[1], &driver).await.unwrap();
    for other in [orders[0], orders[2]] {
        assert_eq!(town.status(other).await, Searching);
        assert_eq!(town.history(other).await.last().unwrap(), "offer_revoked");
    }
    town.check_invariants().await;
    let other = town.driver_at("other", 2.0).await;
    town.settle().await;
    assert_eq!(town.poll(&other).await.offers.len(), 3);
}

#[tokio::test]
async fn offline_and_stale_drivers_get_nothing_and_keep_what_they_have() {
    let town = Town::new(&[("DRIVER_STALE_AFTER", "60")]).await;
    let driver = town.driver_at("driver", 1.0).await;
    let order = town.create().await;
    town.settle().await;
    town.set_status(&driver, DriverStatus::Offline).await;
    town.settle().await;
    assert_eq!(town.asked(order).await, Some(driver.id), "going offline ends no live offer");
    let second = town.create().await;
    town.decline(order, &driver).await.unwrap();
    town.settle().await;
    assert_eq!(town.status(second).await, Searching, "he is offline");

    town.set_status(&driver, DriverStatus::Online).await;
    town.clock.advance(Duration::from_micros(60_000_001));
    town.settle().await;
    assert_eq!(town.status(second).await, Searching, "he is stale");
    town.poll(&driver).await;
    town.settle().await;
    assert_eq!(town.asked(second).await, Some(driver.id), "a poll is a sign of life");
}

#[tokio::test]
async fn a_socket_makes_a_driver_online_who_never_said_anything() {
    let town = Town::new(&[]).await;
    let driver = town.driver("driver").await;
    let (first, second) = (town.create().await, town.create().await);
    let peer = town.connect(&driver).await;
    town.settle().await;
    assert_eq!(town.asked(first).await, Some(driver.id));
    peer.hang_up().await;
    town.decline(first, &driver).await.unwrap();
    town.settle().await;
    assert_eq!(town.status(second).await, Searching, "without a socket he is offline");
}

#[tokio::test]
async fn who_left_the_group_is_passed_over_and_nobody_waits_for_him() {
    let town = Town::new(&[]).await;
    let (former, driver) = (town.driver_at("former", 1.0).await, town.driver_at("driver", 2.0).await);
    let id = former.id;
    town.write(move |_, tx| Ok(tx.execute("DELETE FROM auth_user_groups WHERE user_id = $1", &[id.into()])?))
        .await
        .unwrap();
    let order = town.create().await;
    town.settle().await;
    assert_eq!(town.asked(order).await, Some(driver.id));
}

#[tokio::test]
async fn in_manual_mode_nothing_is_offered_by_itself() {
    let town =
        Town::new(&[("DISPATCH_MODE", "manual"), ("ORDER_OFFER_TIMEOUT", "10"), ("ORDER_SEARCH_TIMEOUT", "60")]).await;
    let driver = town.driver_at("driver", 1.0).await;
    let order = town.create().await;
    town.settle().await;
    assert_eq!(town.status(order).await, Searching);
    town.assign(order, &driver).await.unwrap();
    town.pass(seconds(10)).await;
    assert_eq!(town.status(order).await, Searching, "an offer that runs out leaves the order searching");
    town.pass(seconds(50)).await;
    assert_eq!(town.status(order).await, NoDriver);
    assert_eq!(town.notices().await, ["order_no_driver"]);
}

#[tokio::test]
async fn the_search_ends_when_its_time_is_over_but_lets_a_live_offer_run_out() {
    let town = Town::new(&[("ORDER_OFFER_TIMEOUT", "40"), ("ORDER_SEARCH_TIMEOUT", "60")]).await;
    let waiting = town.create().await;
    town.pass(seconds(30)).await;
    let driver = town.driver_at("driver", 1.0).await;
    town.settle().await;
    town.pass(seconds(30)).await;
    assert_eq!((town.status(waiting).await, town.asked(waiting).await), (Pending, Some(driver.id)));
    town.pass(seconds(10)).await;
    assert_eq!(town.status(waiting).await, NoDriver);
    assert_eq!(town.history(waiting).await, ["created", "offered", "offer_expired", "no_driver"]);
}

#[tokio::test]
async fn the_search_clock_begins_anew_after_a_release() {
    let town = Town::new(&[("ORDER_SEARCH_TIMEOUT", "60")]).await;
    let driver = town.driver_at("driver", 1.0).await;
    let order = town.create().await;
    town.settle().await;
    town.accept(order, &driver).await.unwrap();
    town.pass(seconds(600)).await;
    town.release(order, &driver).await.unwrap();
    town.pass(Duration::from_micros(59_999_999)).await;
    assert_eq!(town.status(order).await, Searching);
    town.pass(Duration::from_micros(1)).await;
    assert_eq!(town.status(order).await, NoDriver);
}

#[tokio::test]
async fn an_order_that_staff_give_away_while_a_driver_is_being_asked_frees_him() {
    let town = Town::new(&[]).await;
    let (near, other) = (town.driver_at("near", 1.0).await, town.driver("other").await);
    let order = town.create().await;
    let plan = town.orders.plan(town.now());
    assert_eq!(plan.matches[0].driver_id, near.id);
    town.assign(order, &other).await.unwrap();
    let second = town.create().await;
    town.settle().await;
    assert_eq!(town.asked(second).await, Some(near.id));
    std::sync::Arc::clone(&town.orders).make_one_offer(plan.matches[0].clone()).await;
    let third = town.create().await;
    town.settle().await;
    assert_eq!(town.status(third).await, Searching, "he has one offer, and the limit is one");
    town.check_invariants().await;
}

#[tokio::test]
async fn what_the_dispatcher_cannot_do_is_counted() {
    let town = Town::new(&[]).await;
    town.driver_at("near", 1.0).await;
    let order = town.create().await;
    let found = town.orders.plan(town.now()).matches.remove(0);
    town.orders.storage.rewrite(&[("holodrive_offer", "nowhere"), ("holodrive_order", "nowhere")]).await;
    Arc::clone(&town.orders).make_one_offer(found).await;
    assert_eq!(town.orders.metrics.dispatch_failures(), (1, 0));
    town.orders.sweep_at(town.now()).await;
    assert_eq!(town.orders.metrics.dispatch_failures(), (1, 1));
    town.orders.storage.rewrite(&[]).await;
    town.pass(seconds(1)).await;
    assert_eq!(town.status(order).await, Pending, "it is tried again");
}
