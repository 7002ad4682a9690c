//! What an order shows of its driver, and to whom.

use holodrive_protocol::UserId;
use serde_json::json;

use super::{
    super::{
        OrderRecord,
        answers::Accepted,
        store::{Scope, page_statement},
    },
    TripStep,
    town::Town,
};
use crate::storage::{Dialect, Row, StorageError, Tx};

#[tokio::test]
async fn where_a_driver_is_concerns_nobody_after_the_trip() {
    let town = Town::new(&[]).await;
    let driver = town.driver_at("driver", 1.0).await;
    let shown = async |order| {
        let view = town.orders.rider_view(&town.order(order).await);
        (view.distance_to_pickup_km, view.eta_seconds.is_some())
    };
    let (completed, cancelled) = (town.create().await, town.create().await);
    assert_eq!(shown(completed).await, (None, false), "nobody is asked yet");
    town.assign(completed, &driver).await.unwrap();
    assert_eq!(shown(completed).await, (Some(1.0), true));
    town.accept(completed, &driver).await.unwrap();
    for step in [TripStep::Arrive, TripStep::Start] {
        town.step(completed, &driver, step).await.unwrap();
        assert_eq!(shown(completed).await.0, Some(1.0));
    }
    town.step(completed, &driver, TripStep::Complete).await.unwrap();
    town.locate(&driver, 2.0).await;
    assert_eq!(shown(completed).await, (None, false));

    town.assign(cancelled, &driver).await.unwrap();
    town.accept(cancelled, &driver).await.unwrap();
    assert_eq!(shown(cancelled).await, (Some(2.0), true));
    town.cancel(cancelled, &town.rider).await.unwrap();
    assert_eq!(town.order(cancelled).await.driver_id, Some(driver.id));
    assert_eq!(shown(cancelled).await, (None, false));
}

#[tokio::test]
async fn who_answers_sees_nothing_of_the_others_who_were_asked() {
    let settings = [("DISPATCH_STRATEGY", "broadcast"), ("DISPATCH_BROADCAST_OFFERS", "3")];
    let town = Town::new(&settings).await;
    let first = town.driver_at("first", 1.0).await;
    let (second, third) = (town.driver_at("second", 2.0).await, town.driver_at("third", 3.0).await);
    let mut phone = town.connect(&first).await;
    let order = town.create().await;
    town.settle().await;
    let deadline = |order: &OrderRecord| town.orders.view(order).expires_at;

    let declined = town.decline(order, &third).await.unwrap();
    assert_eq!((deadline(&declined), town.orders.view(&declined).distance_to_pickup_km), (None, None));
    let Accepted::Now(won) = town.accept(order, &first).await.unwrap() else { panic!("accepted before") };
    let Accepted::Before(again) = town.accept(order, &first).await.unwrap() else { panic!("accepted twice") };
    assert_eq!(won, again, "the same answer again");
    assert_eq!(deadline(&won), None);
    let told = phone.heard().pop().unwrap();
    assert_eq!((&told["type"], &told["order"]["expires_at"]), (&json!("order_accepted"), &json!(null)));
    let stored = town.order(order).await;
    assert_eq!((stored.driver_id, &stored), (Some(first.id), &won));
    assert_ne!(second.id, third.id);
    town.check_invariants().await;
}

#[tokio::test]
async fn an_order_is_answered_as_it_is_stored() {
    let town = Town::new(&[("ORDER_START_PIN", "true")]).await;
    let driver = town.driver_at("driver", 1.0).await;
    let made = town.try_create().await.unwrap();
    assert_eq!(made, town.order(made.id).await);
    town.settle().await;
    let Accepted::Now(accepted) = town.accept(made.id, &driver).await.unwrap() else { panic!("accepted before") };
    assert!(accepted.pin.is_some() && accepted.conversation_id.is_some());
    assert_eq!(accepted, town.order(made.id).await);
    let arrived = town.step(made.id, &driver, TripStep::Arrive).await.unwrap();
    assert_eq!(arrived, town.order(made.id).await);
}

/// Without statistics SQLite would take the index of the status, and look at all orders there are.
#[tokio::test]
async fn a_list_of_somebody_looks_at_nobody_elses_orders() {
    let town = Town::new(&[]).await;
    let plan = town.write(|_, tx| Ok(plan(tx)?)).await.unwrap();
    assert!(!plan.iter().any(|step| step.contains("holodrive_order_status")), "{plan:#?}");
}

fn plan(tx: &mut Tx<'_>) -> Result<Vec<String>, StorageError> {
    if tx.dialect() == Dialect::Postgres {
        return Ok(Vec::new());
    }
    let user = UserId::from(1);
    let sql = format!("EXPLAIN QUERY PLAN {}", page_statement(Scope::Of(user), true));
    let rows =
        tx.query(&sql, &[9_i64.into(), 9_i64.into(), user.into(), "completed".into()])?.into_iter().map(Row::columns);
    rows.map(|mut row| {
        for _ in 0..3 {
            row.take::<i64>()?;
        }
        row.take()
    })
    .collect()
}
