//! Staff take an order away from its driver.

use holodrive_protocol::{
    OrderId,
    OrderStatus::{Pending, Searching},
};
use serde_json::json;

use super::{TripStep, town::Town};
use crate::orders::{OrderError, OrderRecord, store};

async fn unassign(town: &Town, order: OrderId) -> Result<OrderRecord, OrderError> {
    let staff = town.staff.id;
    town.write(move |orders, tx| orders.unassign(tx, order, Some(staff))).await
}

#[tokio::test]
async fn the_order_searches_again_and_goes_to_somebody_else() {
    let town = Town::new(&[]).await;
    let (first, second) = (town.driver_at("first", 1.0).await, town.driver_at("second", 2.0).await);
    let mut phone = town.connect(&first).await;
    let order = town.create().await;
    town.settle().await;
    town.accept(order, &first).await.unwrap();
    let conversation = town.order(order).await.conversation_id.unwrap();
    town.step(order, &first, TripStep::Arrive).await.unwrap();
    phone.heard();
    let after = unassign(&town, order).await.unwrap();
    assert_eq!((after.status, after.driver_id), (Searching, None));
    let told = phone.heard();
    assert_eq!((&told[0]["type"], &told[0]["order_id"]), (&json!("order_cancelled"), &json!(order)));
    assert_eq!(told.len(), 1);

    town.settle().await;
    assert_eq!(town.asked(order).await, Some(second.id));
    town.decline(order, &second).await.unwrap();
    town.settle().await;
    assert_eq!(town.asked(order).await, None, "the first one is not asked again");
    let members = "SELECT COUNT(*) FROM holodrive_conversation_participant WHERE conversation_id = $1 AND user_id = $2";
    let params = [conversation.into(), first.id.into()];
    let left: i64 = town.write(move |_, tx| Ok(store::returned(tx.query_one(members, &params)?)?)).await.unwrap();
    assert_eq!(left, 0, "and has left the conversation");
    assert_eq!(town.notices().await.last().map(String::as_str), Some("order_searching"));
    let events = town.write(move |_, tx| Ok(store::events(tx, order, 0, i64::MAX)?)).await.unwrap();
    let (_, event) = events.iter().find(|(_, event)| event.kind == "unassigned").unwrap();
    assert_eq!((event.actor_id, &event.details["driver_id"]), (Some(town.staff.id), &json!(first.id)));
    town.check_invariants().await;

    town.assign(order, &first).await.unwrap();
    assert_eq!(town.status(order).await, Pending, "unless staff say so");
}

#[tokio::test]
async fn only_an_order_whose_driver_is_on_his_way_can_be_taken_away() {
    let town = Town::new(&[]).await;
    let driver = town.driver("driver").await;
    let refused = async |order| matches!(unassign(&town, order).await, Err(OrderError::InvalidTransition(_)));
    let order = town.create().await;
    assert!(refused(order).await, "searching");
    town.assign(order, &driver).await.unwrap();
    assert!(refused(order).await, "pending");
    town.accept(order, &driver).await.unwrap();
    for step in [TripStep::Arrive, TripStep::Start] {
        town.step(order, &driver, step).await.unwrap();
    }
    assert!(refused(order).await, "in progress");
    town.step(order, &driver, TripStep::Complete).await.unwrap();
    assert!(refused(order).await, "completed");
    assert!(matches!(unassign(&town, 99).await, Err(OrderError::NotFound)));
}
