//! `holodrive serve`: runs the server until it is told to stop.

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::is_local;
use crate::{
    config::Config,
    demo::{self, Demo},
    descriptors,
    server::Server,
    telemetry::logging,
};

#[derive(Args, Clone, Copy)]
pub(super) struct ServeArgs {
    /// Add demo accounts, a moving fleet and live orders; never on a public address
    #[arg(long)]
    pub(super) demo: bool,
}

impl ServeArgs {
    /// What was given before or after the word `serve`.
    pub(super) fn or(self, other: Self) -> Self {
        Self { demo: self.demo || other.demo }
    }
}

pub(super) fn run(mut config: Config, args: ServeArgs) -> anyhow::Result<()> {
    if args.demo && !is_local(&config.websocket_host) {
        anyhow::bail!("--demo has well-known passwords: it runs on 127.0.0.1, ::1 or localhost only (WEBSOCKET_HOST)");
    }
    if args.demo {
        demo::configure(&mut config);
    }
    logging::init(&config)?;
    match descriptors::raise_limit() {
        Ok(limit) => tracing::debug!(limit, "a table of descriptors holds so many"),
        Err(error) => tracing::warn!(%error, "the limit of open files stays as it is"),
    }
    if config.redis_url.is_some() {
        tracing::warn!("REDIS_URL is set, but Redis is not supported yet: this node serves alone");
    }
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(config, args))
}

async fn serve(config: Config, args: ServeArgs) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let server = Server::start(config).await?;
    tracing::info!(address = %server.address(), "listening");
    let demo = if args.demo { Some(Demo::start(server.app(), server.address()).await?) } else { None };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    drop(demo);
    tracing::info!("stopping: a second signal ends it at once");
    tokio::select! {
        () = server.stop() => tracing::info!("stopped"),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
