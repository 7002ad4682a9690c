//! A rider who is a driver as well, and who may not be asked again.

use std::sync::Arc;

use holodrive_protocol::{OrderId, UserId, order::Obstacle};

use super::{
    super::{NewOrder, OrderError, offers::Offering},
    town::Town,
};
use crate::{
    accounts::User,
    dispatch::{Match, NEVER},
};

async fn ordered_by(town: &Town, rider: &User) -> OrderId {
    let new = NewOrder { rider_id: rider.id, ..town.request() };
    town.write(move |orders, tx| orders.create(tx, &new)).await.unwrap().id
}

async fn offer(town: &Town, order_id: OrderId, driver_id: UserId) -> Offering {
    let found = Match { order_id, driver_id, distance_km: None, considered: Vec::new() };
    town.write(move |orders, tx| orders.offer(tx, &found)).await.unwrap()
}

/// Whom the board of this node would ask for the order, or not.
async fn considered(town: &Town, order: OrderId) -> Vec<(UserId, Option<Obstacle>)> {
    let candidates = town.write(move |orders, tx| orders.candidates(tx, order)).await.unwrap();
    candidates.into_iter().map(|one| (one.driver_id, one.skipped)).collect()
}

#[tokio::test]
async fn nobody_is_offered_his_own_order() {
    let town = Town::new(&[("ORDER_SEARCH_TIMEOUT", "60")]).await;
    let rider = town.driver_at("rides and drives", 0.0).await;
    let order = ordered_by(&town, &rider).await;
    town.settle().await;
    assert_eq!(town.asked(order).await, None);
    assert_eq!(considered(&town, order).await, [], "an explanation does not speak of him");
    assert_eq!(offer(&town, order, rider.id).await, Offering::NotFree, "whatever another board says");
    assert!(matches!(town.assign(order, &rider).await, Err(OrderError::OwnOrder)));

    let other = town.driver_at("other", 5.0).await;
    town.settle().await;
    assert_eq!(town.asked(order).await, Some(other.id));
    let events = town.write(move |_, tx| Ok(super::super::store::events(tx, order, 0, i64::MAX)?)).await.unwrap();
    let considered = &events.last().unwrap().1.details["considered"];
    assert_eq!(considered.as_array().map(Vec::len), Some(1), "{considered}");
    town.check_invariants().await;
}

#[tokio::test]
async fn another_node_knows_too_who_never_gets_it() {
    assert_eq!(
        serde_json::from_str::<holodrive_protocol::Timestamp>(&serde_json::to_string(&NEVER).unwrap()).unwrap(),
        NEVER
    );
    let town = Town::new(&[]).await;
    let elsewhere = town.node().await;
    let driver = town.driver_at("driver", 1.0).await;
    let order = town.offered_to(&driver).await;
    town.accept(order, &driver).await.unwrap();
    town.release(order, &driver).await.unwrap();
    elsewhere.catch_up().await;
    let now = town.now();
    let seen = elsewhere.orders.board.look(|board| board.considered(order, now));
    assert_eq!(seen.iter().find(|one| one.driver_id == driver.id).unwrap().skipped, Some(Obstacle::GaveBack));
    assert_eq!(offer(&town, order, driver.id).await, Offering::NotFree);
}

#[tokio::test]
async fn two_nodes_that_find_the_same_driver_offer_him_the_order_once() {
    let settings =
        [("DISPATCH_STRATEGY", "broadcast"), ("DISPATCH_BROADCAST_OFFERS", "3"), ("ORDER_OFFERS_PER_DRIVER", "2")];
    let town = Town::new(&settings).await;
    let driver: Arc<User> = town.driver_at("driver", 1.0).await;
    let order = town.create().await;
    assert_eq!(offer(&town, order, driver.id).await, Offering::Made);
    assert_eq!(offer(&town, order, driver.id).await, Offering::NotFree);
    town.check_invariants().await;
}
