//! Offers end on time, whoever notices, and nothing is forgotten over a restart.

use std::time::Duration;

use holodrive_protocol::OrderStatus::{Accepted, Cancelled, NoDriver, Pending, Searching};

use serde_json::json;

use super::town::Town;
use crate::orders::store;

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[tokio::test]
async fn at_the_deadline_the_next_driver_is_asked() {
    let town = Town::new(&[("ORDER_OFFER_TIMEOUT", "20")]).await;
    let (near, far) = (town.driver_at("near", 1.0).await, town.driver_at("far", 2.0).await);
    let order = town.create().await;
    town.settle().await;
    town.pass(Duration::from_micros(19_999_999)).await;
    assert_eq!(town.asked(order).await, Some(near.id));
    town.pass(Duration::from_micros(1)).await;
    assert_eq!(town.asked(order).await, Some(far.id));
    assert_eq!(town.history(order).await, ["created", "offered", "offer_expired", "offered"]);
}

#[tokio::test]
async fn a_poll_ends_an_overdue_offer_and_delivers_a_live_one() {
    let town = Town::new(&[("ORDER_OFFER_TIMEOUT", "20")]).await;
    let driver = town.driver("driver").await;
    let order = town.offered_to(&driver).await;
    assert_eq!(town.poll(&driver).await.offers.len(), 1);
    town.clock.advance(seconds(20));
    assert_eq!(town.poll(&driver).await.offers.len(), 0);
    assert_eq!(town.history(order).await, ["created", "offered", "delivered", "offer_expired"]);
}

#[tokio::test]
async fn an_offer_that_reaches_nobody_goes_to_the_next() {
    let town = Town::new(&[("ORDER_OFFER_UNREACHABLE_TIMEOUT", "5")]).await;
    let (near, far) = (town.driver_at("near", 1.0).await, town.driver_at("far", 2.0).await);
    let order = town.create().await;
    town.settle().await;
    town.pass(seconds(5)).await;
    assert_eq!(town.asked(order).await, Some(far.id));
    town.poll(&far).await;
    town.pass(seconds(100)).await;
    assert_eq!(town.asked(order).await, Some(far.id), "a poll is the proof");
    assert_ne!(near.id, far.id);
}

#[tokio::test]
async fn a_pong_and_an_ack_prove_the_delivery() {
    let town = Town::new(&[("ORDER_OFFER_UNREACHABLE_TIMEOUT", "5"), ("ORDER_OFFERS_PER_DRIVER", "3")]).await;
    let driver = town.driver("driver").await;
    let before = town.offered_to(&driver).await;
    let mut peer = town.connect(&driver).await;
    peer.pong().await;
    let ponged = town.offered_to(&driver).await;
    peer.pong().await;
    let (acked, silent) = (town.offered_to(&driver).await, town.offered_to(&driver).await);
    peer.say(serde_json::json!({"type": "ack_order", "order_id": acked})).await;
    town.clock.advance(seconds(5));
    town.sweep().await;
    for (order, status) in [(before, Pending), (ponged, Pending), (acked, Pending), (silent, Searching)] {
        assert_eq!(town.status(order).await, status, "order {order}");
    }
}

#[tokio::test]
async fn a_restart_continues_with_everything() {
    let settings = [
        ("ORDER_OFFER_TIMEOUT", "20"),
        ("ORDER_OFFER_UNREACHABLE_TIMEOUT", "8"),
        ("ORDER_SEARCH_TIMEOUT", "100"),
        ("ORDER_REOFFER_AFTER", "50"),
        ("ORDER_OFFERS_PER_DRIVER", "2"),
    ];
    let mut town = Town::new(&settings).await;
    let driving = town.driver_at("driving", 1.0).await;
    let trip = town.create().await;
    town.settle().await;
    town.accept(trip, &driving).await.unwrap();
    let asked = town.driver_at("asked", 2.0).await;
    let delivered = town.create().await;
    town.settle().await;
    town.poll(&asked).await;
    let undelivered = town.create().await;
    town.settle().await;
    let (barred, waiting) = (town.driver_at("barred", 3.0).await, town.create().await);
    town.settle().await;
    town.decline(waiting, &barred).await.unwrap();
    town.restart().await;

    town.pass(seconds(7)).await;
    assert_eq!(town.asked(undelivered).await, Some(asked.id));
    town.pass(seconds(1)).await;
    assert_eq!(town.asked(delivered).await, Some(asked.id), "it was delivered");
    assert_eq!(town.asked(undelivered).await, Some(barred.id), "it went to the next");
    assert_eq!(town.asked(waiting).await, None, "one has his hands full, of the other nothing is heard");
    town.poll(&asked).await;
    town.settle().await;
    assert_eq!(town.asked(waiting).await, Some(asked.id), "whose cool-down goes on, is not asked");
    town.pass(seconds(12)).await;
    assert_ne!(town.asked(delivered).await, Some(asked.id));
    assert_eq!(town.status(trip).await, Accepted);
    for _ in 0..12 {
        town.pass(seconds(10)).await;
    }
    for order in [delivered, undelivered, waiting] {
        assert_eq!(town.status(order).await, NoDriver);
    }
    town.check_invariants().await;
}

#[tokio::test]
async fn nothing_to_do_means_sleeping_until_the_next_deadline() {
    let town = Town::new(&[("ORDER_OFFER_TIMEOUT", "20"), ("DRIVER_STALE_AFTER", "5")]).await;
    let driver = town.driver_at("driver", 1.0).await;
    let (first, _) = (town.create().await, town.create().await);
    town.settle().await;
    for _ in 0..200 {
        let plan = town.orders.plan(town.now());
        assert!(plan.matches.is_empty() && !plan.overdue);
        let wake_at = plan.wake_at.expect("a search always ends");
        assert!(wake_at > town.now(), "the dispatcher would spin");
        town.clock.set(wake_at);
        town.settle().await;
        if town.orders.board.look(|board| board.counts()) == (0, 0) {
            break;
        }
    }
    assert_eq!(town.status(first).await, NoDriver);
    assert_eq!(town.orders.plan(town.now()).wake_at, None, "nothing is left to wait for");
    assert_ne!(driver.id, town.rider.id);
}

#[tokio::test]
async fn a_broken_row_keeps_nothing_else_from_ending_and_is_mended() {
    let town = Town::new(&[("ORDER_OFFER_TIMEOUT", "20"), ("DISPATCH_MODE", "manual")]).await;
    let driver = town.driver("driver").await;
    let (broken, sound) = (town.offered_to(&driver).await, town.offered_to(&driver).await);
    let sql = "UPDATE holodrive_order SET status = 'cancelled' WHERE id = $1";
    town.write(move |_, tx| Ok(tx.execute(sql, &[broken.into()])?)).await.unwrap();
    town.pass(seconds(20)).await;
    assert_eq!((town.status(broken).await, town.status(sound).await), (Cancelled, Searching));
    assert_eq!((town.asked(broken).await, town.asked(sound).await), (None, None));
    town.pass(seconds(900)).await;
    assert_eq!((town.status(broken).await, town.status(sound).await), (Cancelled, NoDriver));
}

#[tokio::test]
async fn the_history_tells_whether_the_driver_had_a_socket() {
    let town = Town::new(&[("ORDER_OFFER_UNREACHABLE_TIMEOUT", "5")]).await;
    let (away, here) = (town.driver_at("away", 1.0).await, town.driver_at("here", 2.0).await);
    let _peer = town.connect(&here).await;
    let order = town.create().await;
    town.settle().await;
    town.pass(seconds(5)).await;
    assert_eq!(town.asked(order).await, Some(here.id));
    let events = town.write(move |_, tx| Ok(store::events(tx, order, 0, i64::MAX)?)).await.unwrap();
    let offered: Vec<_> = events
        .into_iter()
        .filter(|(_, event)| event.kind == "offered")
        .map(|(_, event)| (event.details["driver_id"].clone(), event.details["connected"].clone()))
        .collect();
    assert_eq!(offered, [(json!(away.id), json!(false)), (json!(here.id), json!(true))]);
}

#[tokio::test]
async fn what_ended_without_a_word_is_taken_off_the_board() {
    let town = Town::new(&[("ORDER_OFFER_TIMEOUT", "20"), ("DISPATCH_MODE", "manual")]).await;
    let driver = town.driver("driver").await;
    let (offered, waiting, taken) = (town.offered_to(&driver).await, town.create().await, town.create().await);
    town.write(move |_, tx| {
        let cancel = "UPDATE holodrive_order SET status = 'cancelled' WHERE id IN ($1, $2)";
        tx.execute(cancel, &[offered.into(), waiting.into()])?;
        let end = "UPDATE holodrive_offer SET state = 'expired', ended_at = $2 WHERE order_id = $1";
        tx.execute(end, &[offered.into(), tx.now().into()])?;
        Ok(tx.execute("UPDATE holodrive_order SET search_until = $2 WHERE id = $1", &[taken.into(), i64::MAX.into()])?)
    })
    .await
    .unwrap();
    for left in [(0, 2), (0, 1)] {
        town.clock.advance(seconds(880));
        assert!(town.orders.plan(town.now()).overdue);
        town.orders.sweep_at(town.now()).await;
        assert!(!town.orders.plan(town.now()).overdue);
        assert_eq!(town.orders.board.look(|board| board.counts()), left);
    }
    assert_eq!(town.status(taken).await, Searching, "it got more time");
}

#[tokio::test]
async fn what_has_not_run_out_for_the_database_stays_on_the_board() {
    let town = Town::new(&[("ORDER_OFFER_TIMEOUT", "20")]).await;
    let driver = town.driver_at("driver", 1.0).await;
    let (offered, waiting) = (town.create().await, town.create().await);
    town.settle().await;
    town.clock.advance(seconds(900));
    let ahead = town.now();
    town.set_back(seconds(895));
    town.orders.sweep_at(ahead).await;
    assert!(town.orders.board.look(|board| board.is_overdue(ahead)));
    town.settle().await;
    assert_eq!((town.asked(offered).await, town.status(waiting).await), (Some(driver.id), Searching));
    town.pass(seconds(895)).await;
    assert_eq!(town.status(waiting).await, NoDriver);
}

#[tokio::test]
async fn who_could_not_be_reached_gets_nothing_after_a_restart_either() {
    let settings = [("ORDER_OFFER_UNREACHABLE_TIMEOUT", "5"), ("DRIVER_STALE_AFTER", "1000")];
    let mut town = Town::new(&settings).await;
    let driver = town.driver_at("driver", 1.0).await;
    let first = town.create().await;
    town.settle().await;
    town.pass(seconds(5)).await;
    town.cancel(first, &town.rider).await.unwrap();
    let second = town.create().await;
    for restarts in [false, true] {
        if restarts {
            town.restart().await;
        } else {
            town.orders.rebuild_board().await.unwrap();
        }
        town.settle().await;
        assert_eq!(town.asked(second).await, None, "restarts: {restarts}");
    }
    town.clock.advance(seconds(1));
    town.locate(&driver, 2.0).await;
    town.restart().await;
    town.settle().await;
    assert_eq!(town.asked(second).await, Some(driver.id), "he was heard of");
}
