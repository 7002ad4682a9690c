//! Staff complete a trip for a driver who cannot.

use holodrive_protocol::{
    OrderId,
    OrderStatus::{Completed, Pending},
};
use serde_json::json;

use super::{TripStep, town::Town};
use crate::orders::{OrderError, OrderRecord, store};

async fn complete(town: &Town, order: OrderId) -> Result<OrderRecord, OrderError> {
    let staff = town.staff.id;
    town.write(move |orders, tx| orders.complete(tx, order, Some(staff))).await
}

#[tokio::test]
async fn the_driver_is_free_again_and_everybody_is_told() {
    let town = Town::new(&[]).await;
    let driver = town.driver_at("driver", 1.0).await;
    let order = town.offered_to(&driver).await;
    let refused = async || matches!(complete(&town, order).await, Err(OrderError::InvalidTransition(_)));
    assert!(refused().await, "pending");
    town.accept(order, &driver).await.unwrap();
    assert!(refused().await, "accepted");
    town.step(order, &driver, TripStep::Arrive).await.unwrap();
    assert!(refused().await, "arrived");
    town.step(order, &driver, TripStep::Start).await.unwrap();
    let mut phone = town.connect(&driver).await;
    assert_eq!(phone.heard().last().unwrap()["type"], "active_ride_snapshot");

    let after = complete(&town, order).await.unwrap();
    assert_eq!((after.status, after.driver_id), (Completed, Some(driver.id)));
    let expected = json!({"type": "order_cancelled", "order_id": order, "message": "Support ended the trip"});
    assert_eq!(phone.heard(), [expected]);
    assert_eq!(town.notices().await.last().map(String::as_str), Some("order_completed"));
    let events = town.write(move |_, tx| Ok(store::events(tx, order, 0, i64::MAX)?)).await.unwrap();
    let (_, event) = events.last().unwrap();
    assert_eq!(
        (event.kind.as_str(), event.actor_id, &event.details["by"]),
        ("completed", Some(town.staff.id), &json!("staff"))
    );
    assert!(refused().await, "completed");
    assert!(matches!(complete(&town, 99).await, Err(OrderError::NotFound)));

    let next = town.create().await;
    town.settle().await;
    assert_eq!((town.status(next).await, town.asked(next).await), (Pending, Some(driver.id)));
    town.check_invariants().await;
}
