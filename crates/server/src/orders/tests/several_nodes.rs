//! Drivers at the sockets of other nodes.

use std::{sync::Arc, time::Duration};

use holodrive_protocol::http::DriverStatus;
use serde_json::json;

use super::{
    TripStep,
    town::{Town, north},
};
use crate::{accounts::User, orders::store, storage::Tx};

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// Stores and tells what came through the sockets of a node.
async fn share(node: &Town) {
    node.orders.save_positions().await;
    node.orders.share_sockets().await;
}

/// Through his socket.
fn moves(node: &Town, driver: &User, km: f64) {
    node.orders.move_driver(driver.id, north(km));
}

#[tokio::test]
async fn the_nearest_is_asked_though_he_is_at_another_node() {
    let here = Town::new(&[]).await;
    let there = here.node().await;
    let (far, near) = (here.driver("far").await, here.driver("near").await);
    for (node, driver, km) in [(&here, &far, 8.0), (&there, &near, 0.1)] {
        here.set_status(driver, DriverStatus::Online).await;
        moves(node, driver, km);
        share(node).await;
    }
    let order = here.create().await;
    here.settle().await;
    assert_eq!(here.asked(order).await, Some(near.id));
}

#[tokio::test]
async fn who_comes_back_at_another_node_is_not_looked_for_where_he_was() {
    let here = Town::new(&[]).await;
    let (driver, other) = (here.driver_at("driver", 0.1).await, here.driver("other").await);
    let there = here.node().await;
    here.pass(Duration::from_hours(10)).await;
    moves(&there, &driver, 15.0);
    share(&there).await;
    there.set_status(&driver, DriverStatus::Online).await;
    let order = here.create().await;
    here.settle().await;
    assert_eq!(here.asked(order).await, None, "he is 15 km away");
    here.locate(&other, 9.0).await;
    here.set_status(&other, DriverStatus::Online).await;
    here.settle().await;
    assert_eq!(here.asked(order).await, Some(other.id));
}

#[tokio::test]
async fn an_older_position_never_takes_the_place_of_a_newer_one() {
    let here = Town::new(&[]).await;
    let there = here.node().await;
    let driver = here.driver_at("driver", 1.0).await;
    let at = |node: &Town| node.orders.board.driver_at(driver.id);
    moves(&there, &driver, 2.0);
    here.clock.advance(seconds(1));
    moves(&here, &driver, 3.0);
    here.orders.save_positions().await;
    there.orders.save_positions().await;
    here.catch_up().await;
    assert_eq!((at(&here), at(&there)), (Some(north(3.0)), Some(north(3.0))));
    assert_eq!(at(&here.node().await), Some(north(3.0)), "as it is stored");
    here.clock.advance(seconds(1));
    moves(&here, &driver, 4.0);
    here.orders.rebuild_board().await.unwrap();
    assert_eq!(at(&here), Some(north(4.0)), "which is not stored yet");
}

#[tokio::test]
async fn a_clock_that_is_set_back_keeps_nobody_where_he_was() {
    let here = Town::new(&[]).await;
    let there = here.node().await;
    let driver = here.driver_at("driver", 1.0).await;
    here.set_back(Duration::from_hours(1));
    moves(&here, &driver, 2.0);
    here.orders.save_positions().await;
    there.catch_up().await;
    for node in [&here, &there, &here.node().await] {
        assert_eq!(node.orders.board.driver_at(driver.id), Some(north(2.0)));
    }
}

/// A driver who never says anything but where he is, and no more after that.
async fn quiet_driver(at: &Town) -> (Arc<User>, crate::gateway::testing::Peer) {
    let driver = at.driver("quiet").await;
    let phone = at.connect(&driver).await;
    moves(at, &driver, 1.0);
    share(at).await;
    (driver, phone)
}

#[tokio::test]
async fn a_quiet_driver_is_there_for_all_nodes_as_long_as_his_socket_is_open() {
    let here = Town::new(&[("ORDER_REOFFER_AFTER", "0")]).await;
    let there = here.node().await;
    let (driver, mut phone) = quiet_driver(&there).await;
    for _ in 0..30 {
        here.clock.advance(seconds(10));
        for node in [&here, &there] {
            share(node).await;
        }
    }
    let order = here.create().await;
    here.settle().await;
    assert_eq!(here.asked(order).await, Some(driver.id), "though he never said that he is online");
    there.catch_up().await;
    assert_eq!(phone.heard().last().unwrap()["type"], "new_order");
    phone.pong().await;
    assert_eq!(here.history(order).await, ["created", "offered", "delivered"]);
    let events = here.write(move |_, tx| Ok(store::events(tx, order, 0, i64::MAX)?)).await.unwrap();
    assert_eq!(events[1].1.details["connected"], json!(true));

    phone.hang_up().await;
    share(&there).await;
    here.catch_up().await;
    here.decline(order, &driver).await.unwrap();
    here.settle().await;
    assert_eq!(here.asked(order).await, None, "he has left");
    here.check_invariants().await;
}

#[tokio::test]
async fn the_drivers_of_a_node_that_died_are_gone_after_a_while() {
    let here = Town::new(&[]).await;
    let there = here.node().await;
    let (driver, _phone) = quiet_driver(&there).await;
    here.catch_up().await;
    here.clock.advance(seconds(30));
    share(&here).await;
    let first = here.create().await;
    here.settle().await;
    assert_eq!(here.asked(first).await, Some(driver.id));
    here.decline(first, &driver).await.unwrap();
    here.clock.advance(seconds(1));
    share(&here).await;
    let second = here.create().await;
    here.settle().await;
    assert_eq!(here.asked(second).await, None);
}

#[tokio::test]
async fn a_driver_whom_two_nodes_want_at_once_gets_one_offer_and_is_barred_from_nothing() {
    let here = Town::new(&[]).await;
    let there = here.node().await;
    let (driver, _phone) = quiet_driver(&there).await;
    let order = here.create().await;
    there.catch_up().await;
    let plans = [&here, &there].map(|node| (node, node.orders.plan(node.now())));
    for (node, plan) in plans {
        assert_eq!(plan.matches.len(), 1);
        assert_eq!(plan.matches[0].driver_id, driver.id);
        Arc::clone(&node.orders).make_one_offer(plan.matches[0].clone()).await;
    }
    assert_eq!(here.history(order).await, ["created", "offered"]);
    here.accept(order, &driver).await.unwrap();
    for step in [TripStep::Arrive, TripStep::Start, TripStep::Complete] {
        here.step(order, &driver, step).await.unwrap();
    }
    for node in [&there, &here] {
        let order = node.create().await;
        node.settle().await;
        assert_eq!(node.asked(order).await, Some(driver.id), "at once");
        node.cancel(order, &node.rider).await.unwrap();
    }
    here.check_invariants().await;
}

#[tokio::test]
async fn a_rider_at_another_node_sees_his_driver_move() {
    let here = Town::new(&[]).await;
    let there = here.node().await;
    let (driver, _phone) = quiet_driver(&there).await;
    let order = here.offered_to(&driver).await;
    here.accept(order, &driver).await.unwrap();
    there.catch_up().await;
    let mut screen = here.follow(order, &here.rider).await;
    screen.heard();
    here.clock.advance(seconds(5));
    moves(&there, &driver, 0.5);
    share(&there).await;
    here.catch_up().await;
    let told = screen.heard();
    assert_eq!((told.len(), &told[0]["latitude"]), (1, &json!(north(0.5).latitude)));
}

#[tokio::test]
async fn a_node_without_drivers_writes_nothing() {
    let here = Town::new(&[]).await;
    let there = here.node().await;
    let rows = async || {
        let count = |_: &_, tx: &mut Tx<'_>| Ok(tx.query_one("SELECT COUNT(*) FROM holodrive_outbox", &[])?);
        here.write(count).await.unwrap().unwrap().first::<i64>().unwrap()
    };
    let (_, phone) = quiet_driver(&there).await;
    phone.hang_up().await;
    share(&there).await;
    let before = rows().await;
    for node in [&here, &there] {
        share(node).await;
    }
    assert_eq!(rows().await, before);
}
