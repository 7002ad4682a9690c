//! A running server: listening, answering, and its orderly end.

mod accept;
mod background;
mod connection;
mod front;
mod patience;
mod watched;
mod wiring;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use axum::Router;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::JoinHandle,
    time::{Instant, timeout_at},
};
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    config::Config,
    gateway::{Close, Visitors},
};
use accept::Acceptor;
use background::Background;
pub use front::ClientAddress;
use front::Front;
pub use wiring::open_storage;

/// What ending takes at least: with `DRAIN_TIMEOUT` 0 all connections are closed at once, which still takes a moment.
const SHORTEST_DRAIN: Duration = Duration::from_secs(1);

/// How long to wait before the database is asked again.
const RETRY_AFTER: Duration = Duration::from_millis(250);

/// A server that accepts connections.
pub struct Server {
    address: SocketAddr,
    app: Arc<App>,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Server {
    /// Opens the database, brings it up to date, and listens. When this returns, clients can connect.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        Self::start_with(config, Router::new()).await
    }

    /// Like [`Server::start`], with routes beside the server's own.
    pub async fn start_with(mut config: Config, routes: Router<Arc<App>>) -> anyhow::Result<Self> {
        config.ensure_secret_key()?;
        let listener = listen(&config).await?.into_std()?;
        let address = listener.local_addr()?;
        config.announce_port(address.port());
        let app = wiring::build(Arc::new(config)).await?;
        let visitors = app.gateway.listen(&listener)?;
        let stop = CancellationToken::new();
        let routes = wiring::routes().merge(routes);
        let running = tokio::spawn(run(Arc::clone(&app), routes, visitors, stop.clone()));
        Ok(Self { address, app, stop, running })
    }

    /// Where it listens; with `WEBSOCKET_PORT` 0, the port that it was given.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The parts that it runs on.
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Stops in order: no new connections, open sockets are told to come back spread over `DRAIN_TIMEOUT`, requests in
    /// hand are answered.
    pub async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.running.await {
            tracing::error!(%error, "the server did not end in order");
        }
    }
}

async fn listen(config: &Config) -> anyhow::Result<TcpListener> {
    let (host, port) = (config.websocket_host.as_str(), config.websocket_port);
    let bound = TcpListener::bind((host, port)).await;
    bound.with_context(|| format!("cannot listen on {host}, port {port} (WEBSOCKET_HOST, WEBSOCKET_PORT)"))
}

async fn run(app: Arc<App>, routes: Router<Arc<App>>, visitors: Visitors, stop: CancellationToken) {
    let config = &app.config;
    let background = background(&app);
    let front = Arc::new(Front::new(Arc::clone(&app), routes));
    let accepting = tokio::spawn(Acceptor { front, stop: stop.clone() }.run(visitors));
    stop.cancelled().await;
    app.draining.begin();
    app.gateway.shut_door();
    let deadline = Instant::now() + config.drain_timeout.max(SHORTEST_DRAIN);
    let ended = async { tokio::join!(app.gateway.drain(config.drain_timeout), accepting) };
    let (ended, ()) = tokio::join!(timeout_at(deadline, ended), drain_pushes(&app, deadline));
    if ended.is_err() {
        tracing::warn!("some connections did not end in time and are cut");
    }
    if let Some(presence) = &app.presence {
        presence.drain(deadline.saturating_duration_since(Instant::now()).max(SHORTEST_DRAIN)).await;
    }
    drop(background);
    if let Some(layer) = &app.channel_layer {
        layer.depart().await;
    }
    app.orders.save_positions().await;
    app.orders.share_sockets().await;
    if let Err(error) = app.storage.leave().await {
        tracing::warn!(%error, "the other nodes could not be told that this one stops");
    }
}

/// A phone that is woken now finds the door shut: so this ends with the connections, and not after them.
async fn drain_pushes(app: &App, deadline: Instant) {
    if let Some(pusher) = &app.pusher {
        pusher.drain(deadline.saturating_duration_since(Instant::now())).await;
    }
}

fn background(app: &Arc<App>) -> Background {
    let mut background = Background::default();
    // It listens before anything can be missed.
    let (beginning, misses) = (Arc::clone(app), app.storage.misses());
    background.spawn("misses", move || begin_anew_for_ever(Arc::clone(&beginning), misses.clone()));
    let storage = app.storage.clone();
    background.spawn("outbox", move || storage.clone().follow_for_ever());
    let orders = Arc::clone(&app.orders);
    background.spawn("dispatcher", move || Arc::clone(&orders).dispatch_for_ever());
    let orders = Arc::clone(&app.orders);
    background.spawn("positions", move || Arc::clone(&orders).save_positions_for_ever());
    let orders = Arc::clone(&app.orders);
    background.spawn("sockets", move || Arc::clone(&orders).share_sockets_for_ever());
    let orders = Arc::clone(&app.orders);
    background.spawn("tracking", move || Arc::clone(&orders).tell_positions_for_ever());
    if let Some(timeout) = app.config.order_driver_unreachable_timeout {
        let orders = Arc::clone(&app.orders);
        background.spawn("contact", move || Arc::clone(&orders).watch_contact_for_ever(timeout));
    }
    if let Some(pusher) = app.pusher.clone() {
        background.spawn("pusher", move || Arc::clone(&pusher).push_for_ever());
    }
    if let Some(layer) = app.channel_layer.clone() {
        background.spawn("channel layer", move || Arc::clone(&layer).run());
    }
    if let Some(interval) = app.config.recheck_interval {
        let gateway = Arc::clone(&app.gateway);
        background.spawn("recheck", move || Arc::clone(&gateway).recheck_for_ever(interval));
    }
    background
}

/// Makes everything in memory anew whenever events of other nodes were missed.
async fn begin_anew_for_ever(app: Arc<App>, mut misses: watch::Receiver<u64>) {
    while misses.changed().await.is_ok() {
        app.gateway.close_all(Close::missed_events);
        while let Err(error) = app.orders.rebuild_board().await {
            tracing::error!(%error, "the orders cannot be read; trying again");
            tokio::time::sleep(RETRY_AFTER).await;
        }
    }
}
