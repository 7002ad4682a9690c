//! The demo on a real server: it lives, and goes on after a restart.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::{path::Path, time::Duration};

use holodrive::{config::Config, demo::Demo, server::Server};
use holodrive_client::{Api, PageOf};
use holodrive_protocol::{Order, OrderStatus};

async fn start(folder: &Path) -> (Server, Demo) {
    let server = Server::start(Config::for_tests(folder, &[("DRAIN_TIMEOUT", "0")]).unwrap()).await.unwrap();
    let demo = Demo::start(server.app(), server.address()).await.unwrap();
    (server, demo)
}

/// Staff, with the password that the banner tells.
fn admin(server: &Server) -> Api {
    Api::builder(format!("http://{}", server.address())).login("admin", "demo").build().unwrap()
}

/// The first order that satisfies the condition, as soon as there is one.
async fn wait_for(api: &Api, condition: impl Fn(&Order) -> bool) -> Order {
    loop {
        let orders = api.orders(&PageOf::default()).await.unwrap().results;
        if let Some(order) = orders.into_iter().find(&condition) {
            return order;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_taken_and_its_trip_goes_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (server, demo) = start(folder.path()).await;
    let taken = wait_for(&admin(&server), |order| order.status == OrderStatus::Accepted).await;
    drop(demo);
    server.stop().await;

    let (server, _demo) = start(folder.path()).await;
    let api = admin(&server);
    assert_eq!(api.order(taken.id).await.unwrap().driver_id, taken.driver_id);
    let moved_on = |order: &Order| order.id == taken.id && !matches!(order.status, OrderStatus::Accepted);
    wait_for(&api, moved_on).await;
}
