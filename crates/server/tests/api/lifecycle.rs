//! Going down in order.

use std::sync::Arc;

use axum::{Extension, Router, routing::get};
use holodrive::app::App;
use serde_json::Value;
use tokio::sync::Barrier;

use crate::support::Site;

/// A site with an endpoint that answers when the test has met it twice: once in it, once to let it go on.
async fn site_with_slow_endpoint(settings: &[(&str, &str)]) -> (Site, Arc<Barrier>) {
    async fn slow(Extension(barrier): Extension<Arc<Barrier>>) -> &'static str {
        barrier.wait().await;
        barrier.wait().await;
        "done"
    }
    let barrier = Arc::new(Barrier::new(2));
    let routes: Router<Arc<App>> = Router::new().route("/slow", get(slow)).layer(Extension(Arc::clone(&barrier)));
    (Site::with_routes(settings, routes).await, barrier)
}

#[tokio::test]
async fn a_request_in_hand_is_finished_and_nobody_new_is_let_in() {
    let (site, barrier) = site_with_slow_endpoint(&[]).await;
    let idle = site.get("/healthz").send().await.unwrap();
    assert_eq!(idle.json::<Value>().await.unwrap()["status"], "ok");
    let in_hand = tokio::spawn(site.get("/slow").send());
    barrier.wait().await;
    let stopped = tokio::spawn(site.server.stop());
    while tokio::net::TcpStream::connect(site.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert!(site.app.draining.has_begun() && !stopped.is_finished());
    barrier.wait().await;
    assert_eq!(in_hand.await.unwrap().unwrap().text().await.unwrap(), "done");
    stopped.await.unwrap();
}

#[tokio::test]
async fn what_is_not_finished_in_time_is_cut_off() {
    let (site, barrier) = site_with_slow_endpoint(&[("DRAIN_TIMEOUT", "0")]).await;
    let _in_hand = tokio::spawn(site.get("/slow").send());
    barrier.wait().await;
    site.server.stop().await;
}
