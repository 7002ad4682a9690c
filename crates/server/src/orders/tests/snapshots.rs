//! What a driver has in hand is read beside the writer, which is asked only where something is to be stored.

use std::{sync::Arc, time::Duration};

use holodrive_protocol::OrderId;

use super::{super::store, town::Town};
use crate::{accounts::User, storage::Rewrite};

/// Whoever asks the writer for an offer fails from then on.
const NO_OFFERS: &[Rewrite] = &[("holodrive_offer", "holodrive_nothing")];

async fn delivered(town: &Town) -> (Arc<User>, OrderId) {
    let driver = town.driver("driver").await;
    let order = town.offered_to(&driver).await;
    assert_eq!(town.poll(&driver).await.offers.len(), 1);
    (driver, order)
}

#[tokio::test]
async fn who_has_seen_everything_needs_no_writer() {
    let town = Town::new(&[]).await;
    let (driver, order) = delivered(&town).await;
    town.orders.storage.rewrite(NO_OFFERS).await;
    let offers = town.poll(&driver).await.offers;
    assert_eq!(offers.iter().map(|order| order.id).collect::<Vec<_>>(), [order]);
    let mut peer = town.connect(&driver).await;
    peer.hear_type("connection_established").await;
    assert_eq!(peer.hear_type("initial_orders").await["orders"][0]["id"], order);
}

#[tokio::test]
async fn what_is_due_is_stored_before_the_answer() {
    let town = Town::new(&[("ORDER_OFFER_TIMEOUT", "20"), ("ORDER_OFFER_UNREACHABLE_TIMEOUT", "5")]).await;
    let (driver, _) = delivered(&town).await;
    town.clock.advance(Duration::from_secs(20));
    town.offered_to(&driver).await;
    town.clock.advance(Duration::from_secs(5));
    assert!(town.poll(&driver).await.offers.is_empty(), "one has expired, the other was not delivered in time");
    assert!(town.late().await.is_empty());
    town.orders.storage.rewrite(NO_OFFERS).await;
    assert!(town.poll(&driver).await.offers.is_empty());
}

#[tokio::test]
async fn other_nodes_are_told_now_and_then_that_a_driver_polls() {
    let town = Town::new(&[("DRIVER_STALE_AFTER", "60")]).await;
    let elsewhere = town.node().await;
    let driver = town.driver("driver").await;
    let last_row = async || {
        let read = |_: &_, tx: &mut crate::storage::Tx<'_>| {
            Ok(store::returned::<i64>(tx.query_one("SELECT COALESCE(MAX(id), 0) FROM holodrive_outbox", &[])?)?)
        };
        elsewhere.write(read).await.unwrap()
    };
    town.poll(&driver).await;
    let told = last_row().await;
    for _ in 0..3 {
        town.clock.advance(Duration::from_secs(4));
        town.poll(&driver).await;
        let heard = |node: &Town| node.orders.board.look(|board| board.last_heard(driver.id, town.now()));
        assert_eq!(heard(&town), Some(town.now()), "this node hears of each poll");
    }
    assert_eq!(last_row().await, told);
    town.clock.advance(Duration::from_secs(4));
    town.poll(&driver).await;
    assert_ne!(last_row().await, told);
    let heard = elsewhere.orders.board.look(|board| board.last_heard(driver.id, town.now()));
    assert_eq!(heard, Some(town.now()));
}
