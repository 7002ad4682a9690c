//! Dispatch does without Redis: nodes hear of each other by the database, and what Django's consumers are told through
//! the channel layer waits for nobody.

use std::sync::Arc;

use serde_json::json;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::{super::town::Town, ROUNDS, finish};
use crate::{channel_layer::ChannelLayer, clock::SharedClock, telemetry::Metrics};

/// Takes connections, and never answers.
struct Silent {
    port: u16,
    taking: JoinHandle<()>,
}

impl Silent {
    async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let taking = tokio::spawn(async move {
            let mut taken: Vec<TcpStream> = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                taken.push(stream);
            }
        });
        Self { port, taking }
    }

    /// From now on connections are refused, and those that there are have ended.
    async fn die(self) {
        self.taking.abort();
        let _ = self.taking.await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_gone() {
    let redis = Silent::start().await;
    let url = format!("redis://127.0.0.1:{}", redis.port);
    let settings = [("CHANNEL_LAYER_URL", url.as_str()), ("CHANNEL_LAYER_OUT", "true")];
    let town = Town::new(&settings).await;
    let clock: SharedClock = Arc::clone(&town.clock) as _;
    let layer = ChannelLayer::new(&town.config, &Arc::new(Metrics::new()), &clock).unwrap().unwrap();
    layer.open(&[town.orders.outlet()]);
    assert!(town.orders.outlet().is_open(), "drivers and riders are told of by Redis, too");
    let running = [tokio::spawn(layer.run()), tokio::spawn(Arc::clone(&town.orders).dispatch_for_ever())];

    let driver = town.driver_at("driver", 1.0).await;
    let mut screen = town.connect(&driver).await;
    screen.hear_type("connection_established").await;
    screen.hear_type("initial_orders").await;
    let mut redis = Some(redis);
    for round in 0..ROUNDS {
        if round == ROUNDS / 2 {
            redis.take().unwrap().die().await;
        }
        let order = town.create().await;
        assert_eq!(screen.hear_type("new_order").await["order"]["id"], order);
        screen.say(json!({"type": "accept_order", "order_id": order})).await;
        screen.hear_type("order_accepted").await;
        finish(&town, order, &driver).await;
        town.check_invariants().await;
    }
    running.iter().for_each(JoinHandle::abort);
}
