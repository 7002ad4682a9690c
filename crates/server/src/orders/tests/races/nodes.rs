//! Two nodes on one database, one of which dies or has a wrong clock.

use std::{sync::Arc, time::Duration};

use holodrive_protocol::{
    OrderId,
    OrderStatus::{Accepted as Taken, Completed, NoDriver, Searching},
    Timestamp,
};

use super::{
    super::{
        super::{Orders, answers::Accepted},
        death::commit_and_die,
        town::Town,
    },
    ROUNDS, accepts, dispatches, does, finish, race, race_round,
};
use crate::{accounts::User, clock::ManualClock, storage::Row};

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_between_commit_and_publish() {
    let here = Town::new(&[("ORDER_OFFER_TIMEOUT", "20"), ("DISPATCH_MODE", "manual")]).await;
    let (driver, other) = (here.driver("driver").await, here.driver("other").await);
    let mut screen = here.connect(&driver).await;
    for kind in ["connection_established", "initial_orders"] {
        screen.hear_type(kind).await;
    }

    // An offer is made, and who made it dies before anybody was told.
    let order = here.create().await;
    let (id, staff, node) = (driver.id, here.staff.id, here.node().await);
    let mut blind = node.connect(&driver).await;
    blind.heard();
    let dead = commit_and_die(&node, move |orders, tx| orders.assign(tx, order, id, Some(staff))).await;
    assert!(screen.heard().is_empty() && blind.heard().is_empty(), "told before it could be");
    here.catch_up().await;
    assert_eq!(screen.hear_type("new_order").await["order"]["id"], order);
    let node = here.node().await;
    assert_eq!(node.connect(&driver).await.heard()[1]["orders"][0]["id"], order, "a restart finds it");
    drop((dead, blind));

    // It runs out.
    here.clock.advance(Duration::from_secs(20));
    let dead = commit_and_die(&node, Orders::sweep).await;
    here.catch_up().await;
    assert_eq!(screen.hear_type("order_timeout").await["order_id"], order);
    assert_eq!((here.status(order).await, here.sweep().await), (Searching, 0), "it ended once");
    drop(dead);

    // Another is accepted.
    here.assign(order, &driver).await.unwrap();
    screen.hear_type("new_order").await;
    let (node, accepting) = (here.node().await, Arc::clone(&driver));
    let dead = commit_and_die(&node, move |orders, tx| orders.accept(tx, order, &accepting, None)).await;
    let mut racers = vec![accepts(&here, order, &driver)];
    racers.push(does(&here, move |orders, tx| orders.assign(tx, order, other.id, Some(staff))));
    race(racers).await;
    assert_eq!(screen.hear_type("order_accepted").await["order"]["id"], order);
    assert!(matches!(here.accept(order, &driver).await, Ok(Accepted::Before(_))), "the same answer again");
    let node = here.node().await;
    assert_eq!(node.connect(&driver).await.heard()[2]["type"], "active_ride_snapshot");
    assert_eq!(screen.heard(), [] as [serde_json::Value; 0], "each was told once");
    here.check_invariants().await;
    drop(dead);
}

/// Each node goes by its own clock here, as if the database had none: even then no order has two offers, and none is
/// forgotten.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clock_of_one_node_is_an_hour_ahead() {
    // Drivers whom the right node has just heard of are an hour old to the wrong one, and are asked by it all the same.
    let settings = [
        ("ORDER_OFFER_TIMEOUT", "20"),
        ("ORDER_SEARCH_TIMEOUT", "60"),
        ("ORDER_REOFFER_AFTER", "1"),
        ("DRIVER_STALE_AFTER", "7200"),
    ];
    let right = Town::new(&settings).await;
    let ahead = Arc::new(ManualClock::at(right.now()));
    ahead.advance(HOUR);
    let wrong = right.node_by(&ahead).await;
    let an_hour_later = wrong.now();
    let mut drivers = Vec::new();
    for number in 0..3 {
        drivers.push(right.driver_at(&format!("driver{number}"), f64::from(number)).await);
    }
    let mut orders = Vec::new();
    for round in 0..ROUNDS {
        orders.push(right.create().await);
        orders.push(wrong.create().await);
        let newest: Vec<OrderId> = orders.iter().rev().take(3).copied().collect();
        for node in [&right, &wrong] {
            node.catch_up().await;
        }
        let mut racers = vec![dispatches(&right), dispatches(&wrong)];
        for node in [&right, &wrong] {
            racers.extend(newest.iter().flat_map(|order| drivers.iter().map(|driver| accepts(node, *order, driver))));
            racers.push(does(node, Orders::sweep));
        }
        race_round(round, racers).await;
        for node in [&right, &wrong] {
            node.check_invariants().await;
            node.clock.advance(Duration::from_secs(1));
        }
        for order in newest {
            finish_if_taken(&right, order, &drivers).await;
        }
    }
    let offers = offer_times(&right).await;
    assert!(offers.iter().any(|at| *at < an_hour_later), "the right node offered nothing");
    assert!(offers.iter().any(|at| *at >= an_hour_later), "the wrong node offered nothing");
    // Nobody answers any more. Whatever the wrong clock did, no order is forgotten.
    for node in [&right, &wrong].into_iter().cycle().take(2 * 90) {
        node.pass(Duration::from_secs(2)).await;
        node.check_invariants().await;
    }
    right.clock.advance(HOUR);
    right.settle().await;
    let mut taken = 0;
    for order in orders {
        let status = right.status(order).await;
        assert!(matches!(status, Completed | NoDriver), "order {order} is {status:?}");
        taken += usize::from(status == Completed);
    }
    assert!(taken > 0, "nobody took anything");
}

async fn finish_if_taken(town: &Town, order: OrderId, drivers: &[Arc<User>]) {
    let record = town.order(order).await;
    if record.status == Taken {
        let driver = drivers.iter().find(|driver| Some(driver.id) == record.driver_id).unwrap();
        finish(town, order, driver).await;
    }
}

/// When each offer was made, by the clock of the node that made it.
async fn offer_times(town: &Town) -> Vec<Timestamp> {
    let rows = town.write(|_, tx| Ok(tx.query("SELECT created_at FROM holodrive_offer", &[])?)).await.unwrap();
    rows.into_iter().map(|row: Row| row.first().unwrap()).collect()
}
