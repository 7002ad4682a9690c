//! Trips: each driver arrives, starts and completes, through the HTTP API.

use std::{net::SocketAddr, time::Duration};

use reqwest::Client;
use tokio::{sync::mpsc::UnboundedReceiver, time::sleep};

use super::drivers::Accepted;
use crate::{cities::Numbers, site::Member};

/// Drives every trip that begins, for as long as it is not stopped.
pub(super) async fn drive(
    address: SocketAddr,
    drivers: Vec<Member>,
    mean: Duration,
    mut starting: UnboundedReceiver<Accepted>,
) {
    let (client, mut numbers) = (Client::new(), Numbers::new());
    while let Some(Accepted { order_id, driver }) = starting.recv().await {
        let steps = ["arrive", "start", "complete"].map(|step| {
            let request = client.post(format!("http://{address}/api/orders/{order_id}/{step}/"));
            (numbers.about(mean) / 3, request.bearer_auth(&drivers[driver].token).json(&serde_json::json!({})))
        });
        tokio::spawn(async move {
            for (later, request) in steps {
                sleep(later).await;
                if let Err(error) = request.send().await.and_then(reqwest::Response::error_for_status) {
                    eprintln!("a step of a trip failed: {error}");
                    return;
                }
            }
        });
    }
}
