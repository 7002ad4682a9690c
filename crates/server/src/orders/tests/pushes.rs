//! Which offers are due to be pushed, and who may do it.

use std::time::Duration;

use holodrive_protocol::OrderId;

use super::town::Town;
use crate::{
    accounts::User,
    orders::{DuePush, PushResult},
};

const HOLD: Duration = Duration::from_secs(5);

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

async fn town(settings: &[(&str, &str)]) -> Town {
    let push = [("HOOKS_URL", "http://127.0.0.1:9/"), ("HOOKS_SECRET", "a secret"), ("HOOKS", "push")];
    Town::new(&[&push, settings].concat()).await
}

async fn take(town: &Town) -> Vec<DuePush> {
    town.write(|orders, tx| orders.take_pushes(tx, 10, HOLD)).await.unwrap()
}

async fn take_one(town: &Town) -> DuePush {
    let [push] = take(town).await.try_into().unwrap();
    push
}

/// A driver who is not there.
async fn offered_to_somebody(town: &Town) -> OrderId {
    let driver = town.driver("somebody").await;
    town.offered_to(&driver).await
}

/// The back end was told.
async fn settle(town: &Town, push: &DuePush) {
    let (push, done) = (push.clone(), true);
    let result = PushResult { way: Some("webhook"), device_id: None, attempts: 1, failure: None };
    town.write(move |orders, tx| Ok(orders.settle_push(tx, &push, &[result], done)?)).await.unwrap();
}

async fn next(town: &Town) -> Option<Duration> {
    town.orders.next_push().await.unwrap()
}

#[tokio::test]
async fn who_is_not_connected_is_told_at_once_and_others_later() {
    let town = town(&[("PUSH_AFTER", "3"), ("ORDER_OFFER_TIMEOUT", "20")]).await;
    let (away, here) = (town.driver("away").await, town.driver("here").await);
    let _peer = town.connect(&here).await;
    let (first, second) = (town.offered_to(&away).await, town.offered_to(&here).await);
    let push = take_one(&town).await;
    assert_eq!((push.driver_id, push.order.id, push.is_live), (away.id, first, true));
    assert_eq!((push.taken_at, push.order.expires_at), (town.now(), Some(push.expires_at)));
    settle(&town, &push).await;
    assert_eq!(next(&town).await, Some(seconds(3)));
    town.clock.advance(seconds(3));
    assert_eq!(take_one(&town).await.order.id, second);
    assert_eq!(town.history(first).await, ["created", "offered", "pushed"]);
}

#[tokio::test]
async fn another_node_may_have_the_driver() {
    let town = town(&[("PUSH_AFTER", "3")]).await;
    let sql = "INSERT INTO holodrive_node (node, position, seen_at) VALUES ('another', 0, $1)";
    town.write(|_, tx| Ok(tx.execute(sql, &[tx.now().into()])?)).await.unwrap();
    offered_to_somebody(&town).await;
    assert_eq!(next(&town).await, Some(seconds(1)));
}

#[tokio::test]
async fn one_at_a_time_is_about_it_and_another_one_takes_over() {
    let town = town(&[]).await;
    offered_to_somebody(&town).await;
    let mut dead = take_one(&town).await;
    assert!(take(&town).await.is_empty());
    town.clock.advance(seconds(4));
    assert!(town.orders.hold_push(&mut dead, HOLD).await.unwrap());
    town.clock.advance(seconds(4));
    assert!(take(&town).await.is_empty(), "it is held for another second");
    town.clock.advance(seconds(1));
    let mut living = take_one(&town).await;
    assert!(!town.orders.hold_push(&mut dead, HOLD).await.unwrap());
    assert!(town.orders.hold_push(&mut living, HOLD).await.unwrap());
    settle(&town, &dead).await;
    assert!(town.orders.hold_push(&mut living, HOLD).await.unwrap(), "whoever lost it ends nothing");
    settle(&town, &living).await;
    assert_eq!(next(&town).await, None);
}

#[tokio::test]
async fn nobody_is_told_of_what_he_has_or_what_is_over() {
    let town = town(&[("ORDER_OFFERS_PER_DRIVER", "9"), ("ORDER_OFFER_TIMEOUT", "20")]).await;
    let driver = town.driver("driver").await;
    let [accepted, declined, cancelled] =
        [town.offered_to(&driver).await, town.offered_to(&driver).await, town.offered_to(&driver).await];
    town.decline(declined, &driver).await.unwrap();
    town.cancel(cancelled, &town.rider).await.unwrap();
    town.accept(accepted, &driver).await.unwrap();
    assert_eq!(next(&town).await, None);
    let polls = town.driver("polls").await;
    town.offered_to(&polls).await;
    let mut push = take_one(&town).await;
    town.poll(&polls).await;
    assert!(!town.orders.hold_push(&mut push, HOLD).await.unwrap());
    assert_eq!(next(&town).await, None);
    offered_to_somebody(&town).await;
    town.clock.advance(seconds(20));
    assert!(take(&town).await.is_empty(), "it is over, though nobody has said so yet");
    town.sweep().await;
    assert_eq!(next(&town).await, None);
}

async fn pushed_to(town: &Town, driver: &User) -> OrderId {
    let order = town.offered_to(driver).await;
    settle(town, &take_one(town).await).await;
    order
}

#[tokio::test]
async fn who_was_told_of_it_and_never_came_is_told_that_it_is_over() {
    let town = town(&[("ORDER_OFFER_UNREACHABLE_TIMEOUT", "5"), ("ORDER_OFFERS_PER_DRIVER", "9")]).await;
    let (silent, declines, comes) = (town.driver("a").await, town.driver("b").await, town.driver("c").await);
    let missed = pushed_to(&town, &silent).await;
    let refused = pushed_to(&town, &declines).await;
    pushed_to(&town, &comes).await;
    town.poll(&comes).await;
    town.decline(refused, &declines).await.unwrap();
    town.clock.advance(seconds(5));
    town.sweep().await;
    let push = take_one(&town).await;
    assert_eq!((push.driver_id, push.order.id, push.is_live), (silent.id, missed, false));
    assert!(push.expires_at > town.now());
    settle(&town, &push).await;
    assert_eq!(next(&town).await, None);
    assert_eq!(town.history(missed).await, ["created", "offered", "pushed", "offer_revoked"]);
    town.check_invariants().await;
}

async fn withdraw_unreached(town: &Town) {
    town.clock.advance(seconds(5));
    town.sweep().await;
}

#[tokio::test]
async fn a_push_that_was_under_way_when_the_offer_ended_is_followed_by_its_end() {
    let town = town(&[("ORDER_OFFER_UNREACHABLE_TIMEOUT", "5")]).await;
    let order = offered_to_somebody(&town).await;
    let mut under_way = take_one(&town).await;
    assert!(town.orders.hold_push(&mut under_way, seconds(60)).await.unwrap());
    withdraw_unreached(&town).await;
    assert_eq!(next(&town).await, None, "nobody knows yet that he was told");
    settle(&town, &under_way).await;
    let push = take_one(&town).await;
    assert_eq!((push.offer_id, push.is_live), (under_way.offer_id, false));
    settle(&town, &under_way).await;
    assert!(take(&town).await.is_empty(), "once is enough");
    settle(&town, &push).await;
    assert_eq!(next(&town).await, None);
    assert_eq!(town.history(order).await.last().unwrap(), "pushed");
}

#[tokio::test]
async fn a_push_that_failed_or_was_answered_is_followed_by_nothing() {
    let town = town(&[("ORDER_OFFER_UNREACHABLE_TIMEOUT", "5"), ("ORDER_OFFERS_PER_DRIVER", "9")]).await;
    let (silent, awake) = (town.driver("silent").await, town.driver("awake").await);
    town.offered_to(&silent).await;
    let failed = take_one(&town).await;
    let declined = town.offered_to(&awake).await;
    let answered = take_one(&town).await;
    town.decline(declined, &awake).await.unwrap();
    settle(&town, &answered).await;
    withdraw_unreached(&town).await;
    let failure = Some("400".to_owned());
    let result = PushResult { way: Some("fcm"), device_id: Some(1), attempts: 1, failure };
    town.write(move |orders, tx| Ok(orders.settle_push(tx, &failed, &[result], true)?)).await.unwrap();
    assert_eq!(next(&town).await, None);
}

#[tokio::test]
async fn the_end_of_an_offer_takes_no_place_of_a_newer_one() {
    let town = town(&[("ORDER_OFFER_UNREACHABLE_TIMEOUT", "5")]).await;
    let driver = town.driver("driver").await;
    let order = pushed_to(&town, &driver).await;
    withdraw_unreached(&town).await;
    town.assign(order, &driver).await.unwrap();
    let newer = take_one(&town).await;
    assert!(newer.is_live, "and not that the first one is over");
    settle(&town, &newer).await;
    assert_eq!(next(&town).await, None);
    // The end of the newer one is told, unless there is another one once more, even if that comes while it is being told.
    withdraw_unreached(&town).await;
    let mut over = take_one(&town).await;
    assert_eq!((over.offer_id, over.is_live), (newer.offer_id, false));
    assert!(town.orders.hold_push(&mut over, HOLD).await.unwrap());
    town.assign(order, &driver).await.unwrap();
    assert!(!town.orders.hold_push(&mut over, HOLD).await.unwrap());
    let newest = take_one(&town).await;
    settle(&town, &newest).await;
    assert_eq!(next(&town).await, None);
}

#[tokio::test]
async fn where_there_is_no_way_nothing_is_due() {
    let town = Town::new(&[]).await;
    offered_to_somebody(&town).await;
    assert_eq!(next(&town).await, None);
}
