//! Trips: each driver arrives, starts and completes, through the HTTP API.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use reqwest::{Client, RequestBuilder, Response};
use tokio::{sync::mpsc::UnboundedReceiver, task::JoinSet, time::sleep};

use super::drivers::Accepted;
use crate::{cities::Numbers, site::Member};

/// Failures that are told; all are counted.
const SHOWN: usize = 3;

/// Drives every trip that begins, until it is stopped, and with it those under way; counts those that ended in the middle.
pub(super) async fn drive(
    address: SocketAddr,
    drivers: Vec<Member>,
    mean: Duration,
    mut starting: UnboundedReceiver<Accepted>,
    failed: Arc<AtomicUsize>,
) {
    let (client, mut numbers, mut under_way) = (Client::new(), Numbers::new(), JoinSet::new());
    while let Some(Accepted { order_id, driver }) = starting.recv().await {
        let steps = ["arrive", "start", "complete"].map(|step| {
            let request = client.post(format!("http://{address}/api/driver/orders/{order_id}/{step}/"));
            (numbers.about(mean) / 3, request.bearer_auth(&drivers[driver].token).json(&serde_json::json!({})))
        });
        let failed = Arc::clone(&failed);
        under_way.spawn(async move {
            if let Err(error) = take(steps).await
                && failed.fetch_add(1, Ordering::Relaxed) < SHOWN
            {
                eprintln!("a step of a trip failed: {error}");
            }
        });
        while under_way.try_join_next().is_some() {}
    }
}

/// One step after another, each some time after the one before.
async fn take(steps: [(Duration, RequestBuilder); 3]) -> reqwest::Result<()> {
    for (later, request) in steps {
        sleep(later).await;
        request.send().await.and_then(Response::error_for_status)?;
    }
    Ok(())
}
