//! In which order the board hears of what a transaction changed: its dispatcher may look after each of them.

use std::{sync::Arc, time::Duration};

use holodrive_protocol::UserId;
use parking_lot::Mutex;

use super::town::Town;

/// Another node, whose dispatcher looks after each change; gives whom it found since the last time.
struct Watcher {
    node: Town,
    found: Arc<Mutex<Vec<UserId>>>,
}

impl Watcher {
    async fn of(town: &Town) -> Self {
        let node = town.node().await;
        node.catch_up().await;
        let (orders, found) = (Arc::clone(&node.orders), Arc::<Mutex<Vec<UserId>>>::default());
        let (clock, list) = (Arc::clone(&town.clock), Arc::clone(&found));
        node.orders.storage.topic("board", move |change| {
            orders.board.apply(change);
            let plan = orders.plan(crate::clock::Clock::now(&*clock));
            list.lock().extend(plan.matches.iter().map(|found| found.driver_id));
        });
        Self { node, found }
    }

    async fn found(&self) -> Vec<UserId> {
        self.node.catch_up().await;
        std::mem::take(&mut *self.found.lock())
    }
}

#[tokio::test]
async fn who_has_just_accepted_is_not_free_for_a_moment() {
    let town = Town::new(&[]).await;
    let driver = town.driver_at("driver", 1.0).await;
    let (order, _waiting) = (town.create().await, town.create().await);
    town.settle().await;
    let watcher = Watcher::of(&town).await;
    town.accept(order, &driver).await.unwrap();
    assert_eq!(watcher.found().await, []);
    town.check_invariants().await;
}

#[tokio::test]
async fn who_cannot_be_reached_is_not_free_for_a_moment() {
    let town = Town::new(&[("ORDER_OFFER_UNREACHABLE_TIMEOUT", "5")]).await;
    let _driver = town.driver_at("driver", 1.0).await;
    let (_order, _waiting) = (town.create().await, town.create().await);
    town.settle().await;
    let watcher = Watcher::of(&town).await;
    town.clock.advance(Duration::from_secs(5));
    assert_eq!(town.sweep().await, 1);
    assert_eq!(watcher.found().await, []);
    town.check_invariants().await;
}
