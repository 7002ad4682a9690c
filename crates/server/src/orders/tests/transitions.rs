//! Every transition of the table, and every guard.

use holodrive_protocol::OrderStatus::{self, Accepted, Arrived, Cancelled, Completed, InProgress, Pending, Searching};

use super::super::{OrderError, answers, transitions::TripStep};
use super::town::Town;

const STEPS: [TripStep; 3] = [TripStep::Arrive, TripStep::Start, TripStep::Complete];

#[tokio::test]
async fn from_the_request_to_the_end_of_the_trip() {
    let town = Town::new(&[]).await;
    let driver = town.driver_at("near", 1.0).await;
    let order = town.create().await;
    assert_eq!(town.status(order).await, Searching);
    town.settle().await;
    assert_eq!((town.status(order).await, town.asked(order).await), (Pending, Some(driver.id)));

    let answers::Accepted::Now(accepted) = town.accept(order, &driver).await.unwrap() else {
        panic!("accepted before")
    };
    assert_eq!((accepted.status, accepted.driver_id, accepted.offers), (Accepted, Some(driver.id), Vec::new()));
    assert!(accepted.conversation_id.is_some());
    for (step, status) in STEPS.into_iter().zip([Arrived, InProgress, Completed]) {
        assert_eq!(town.step(order, &driver, step).await.unwrap().status, status);
    }
    let history = town.history(order).await;
    assert_eq!(history, ["created", "offered", "accepted", "arrived", "started", "completed"]);
    let notices = town.notices().await;
    assert_eq!(notices, ["order_accepted", "order_arrived", "order_started", "order_completed"]);
    town.check_invariants().await;
}

/// Brings a new order to a status.
async fn order_at(town: &Town, status: OrderStatus, driver: &std::sync::Arc<crate::accounts::User>) -> i64 {
    let order = if status == Searching { town.create().await } else { town.offered_to(driver).await };
    if !matches!(status, Searching | Pending) {
        town.accept(order, driver).await.unwrap();
    }
    let steps = match status {
        Arrived => 1,
        InProgress => 2,
        Completed => 3,
        _ => 0,
    };
    for step in &STEPS[..steps] {
        town.step(order, driver, *step).await.unwrap();
    }
    if status == Cancelled {
        town.cancel(order, &town.rider).await.unwrap();
    }
    assert_eq!(town.status(order).await, status);
    order
}

#[tokio::test]
async fn every_step_begins_where_the_last_one_ended_and_nowhere_else() {
    for status in [Accepted, Arrived, InProgress, Completed, Cancelled] {
        for step in STEPS {
            let town = Town::new(&[]).await;
            let driver = town.driver("driver").await;
            let order = order_at(&town, status, &driver).await;
            let taken = town.step(order, &driver, step).await;
            let (from, to) = step.statuses();
            match taken {
                Ok(order) => assert_eq!((status, order.status), (from, to)),
                Err(OrderError::InvalidTransition(_)) => assert_ne!(status, from),
                Err(other) => panic!("{other}"),
            }
            town.check_invariants().await;
        }
    }
}

#[tokio::test]
async fn only_its_driver_drives_an_order() {
    let town = Town::new(&[]).await;
    let (driver, other) = (town.driver("driver").await, town.driver("other").await);
    let order = order_at(&town, Pending, &driver).await;
    assert!(matches!(town.step(order, &driver, TripStep::Arrive).await, Err(OrderError::NotFound)), "not accepted yet");
    town.accept(order, &driver).await.unwrap();
    for step in STEPS {
        assert!(matches!(town.step(order, &other, step).await, Err(OrderError::NotFound)));
    }
    assert!(matches!(town.release(order, &other).await, Err(OrderError::NotFound)));
    assert!(matches!(town.release(order + 1, &driver).await, Err(OrderError::NotFound)));
    assert_eq!(town.status(order).await, Accepted);
}

#[tokio::test]
async fn an_order_can_be_cancelled_until_the_trip() {
    for (status, possible) in
        [(Searching, true), (Pending, true), (Accepted, true), (Arrived, true), (InProgress, false), (Completed, false)]
    {
        let town = Town::new(&[]).await;
        let driver = town.driver("driver").await;
        let order = order_at(&town, status, &driver).await;
        let cancelled = town.cancel(order, &town.rider).await;
        assert_eq!(cancelled.is_ok(), possible, "{status:?}");
        assert_eq!(town.status(order).await, if possible { Cancelled } else { status });
        assert_eq!(town.notices().await.last().is_some_and(|notice| notice == "order_cancelled"), possible);
        town.check_invariants().await;
        if possible {
            let again = town.cancel(order, &town.rider).await;
            assert!(matches!(again, Err(OrderError::InvalidTransition(_))));
            // The driver is free for the next one.
            order_at(&town, Accepted, &driver).await;
        }
    }
}

#[tokio::test]
async fn staff_cancel_too_and_strangers_do_not() {
    let town = Town::new(&[]).await;
    let driver = town.driver("driver").await;
    let order = order_at(&town, Accepted, &driver).await;
    assert!(matches!(town.cancel(order, &driver).await, Err(OrderError::NotFound)));
    assert!(town.cancel(order, &town.staff).await.is_ok());
}

#[tokio::test]
async fn an_order_can_be_given_back_until_the_trip() {
    for (status, possible) in [(Accepted, true), (Arrived, true), (InProgress, false), (Completed, false)] {
        let town = Town::new(&[]).await;
        let driver = town.driver("driver").await;
        let order = order_at(&town, status, &driver).await;
        let released = town.release(order, &driver).await;
        assert_eq!(released.is_ok(), possible, "{status:?}");
        if possible {
            assert_eq!((town.status(order).await, town.order(order).await.driver_id), (Searching, None));
            assert_eq!(town.notices().await.last().unwrap(), "order_searching");
            assert!(matches!(town.release(order, &driver).await, Err(OrderError::NotFound)));
        }
        town.check_invariants().await;
    }
}

#[tokio::test]
async fn a_rider_may_have_so_many_open_orders() {
    let town = Town::new(&[("ORDERS_PER_RIDER", "2")]).await;
    let (first, _) = (town.create().await, town.create().await);
    assert!(matches!(town.try_create().await, Err(OrderError::TooManyOrders)));
    town.cancel(first, &town.rider).await.unwrap();
    assert!(town.try_create().await.is_ok());
}

#[tokio::test]
async fn assign_wants_an_order_that_nobody_has_and_a_driver_who_is_free() {
    let town = Town::new(&[]).await;
    let (driver, other) = (town.driver("driver").await, town.driver("other").await);
    for status in [Accepted, Arrived, InProgress, Completed, Cancelled] {
        let order = order_at(&town, status, &driver).await;
        let assigned = town.assign(order, &other).await;
        assert!(matches!(assigned, Err(OrderError::InvalidTransition(_))), "{status:?}");
        if !matches!(status, Completed | Cancelled) {
            let waiting = town.create().await;
            assert!(matches!(town.assign(waiting, &driver).await, Err(OrderError::DriverBusy)));
        }
        for step in STEPS {
            let _ = town.step(order, &driver, step).await;
        }
    }
    let waiting = town.create().await;
    assert!(matches!(town.assign(waiting, &town.rider).await, Err(OrderError::NotADriver)));
    assert!(matches!(town.assign(i64::MAX, &other).await, Err(OrderError::NotFound)));
    assert_eq!(town.status(waiting).await, Searching);
    town.check_invariants().await;
}

#[tokio::test]
async fn assign_takes_a_pending_order_from_one_driver_to_another() {
    let town = Town::new(&[]).await;
    let (near, far) = (town.driver_at("near", 1.0).await, town.driver_at("far", 500.0).await);
    let order = town.create().await;
    town.settle().await;
    assert_eq!(town.asked(order).await, Some(near.id));
    let before = town.order(order).await.offers[0];
    let same = town.assign(order, &near).await.unwrap().offers[0];
    assert_eq!((same.id, same.expires_at), (before.id, before.expires_at), "he has it already");
    assert_eq!(town.assign(order, &far).await.unwrap().offers[0].driver_id, far.id);
    assert_eq!(town.history(order).await, ["created", "offered", "offer_revoked", "offered"]);
    town.check_invariants().await;
}

#[tokio::test]
async fn assigning_what_has_just_run_out_makes_a_new_offer() {
    let town = Town::new(&[("ORDER_OFFER_TIMEOUT", "10")]).await;
    let driver = town.driver("driver").await;
    let order = town.offered_to(&driver).await;
    town.clock.advance(std::time::Duration::from_secs(10));
    let offer = town.assign(order, &driver).await.unwrap().offers[0];
    assert!(offer.expires_at > town.now());
    assert_eq!(town.history(order).await, ["created", "offered", "offer_expired", "offered"]);
    town.check_invariants().await;
}
