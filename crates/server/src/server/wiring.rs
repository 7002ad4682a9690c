//! Puts the parts together: the one place that knows them all.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::{ConnectInfo, Request, State},
    response::{IntoResponse, Response},
};

use crate::{
    accounts::{Accounts, AllowedOrigins},
    api::ApiError,
    clock::{SharedClock, SystemClock},
    config::{Config, DatabaseUrl},
    gateway::Gateway,
    storage::{Storage, StorageOptions},
    telemetry::Metrics,
};

/// What a server runs.
pub(super) struct App {
    pub(super) router: Router,
    pub(super) gateway: Arc<Gateway>,
}

impl App {
    pub(super) fn new(config: &Arc<Config>) -> anyhow::Result<Self> {
        let clock: SharedClock = Arc::new(SystemClock);
        let metrics = Arc::new(Metrics::new());
        let origins = AllowedOrigins::parse(config.allowed_origins.iter().map(String::as_str))?;
        let accounts = Arc::new(Accounts {});
        let _storage = open_storage(config, Arc::clone(&clock), Arc::clone(&metrics))?;
        let gateway = Arc::new(Gateway::new(Arc::clone(config), accounts, metrics, clock, origins));
        let router = Router::new().fallback(socket_or_nothing).with_state(Arc::clone(&gateway));
        Ok(Self { router, gateway })
    }
}

/// Opens the configured database, brought up to date.
pub fn open_storage(config: &Config, clock: SharedClock, metrics: Arc<Metrics>) -> anyhow::Result<Storage> {
    let DatabaseUrl::Sqlite(file) = &config.database_url else {
        anyhow::bail!("DATABASE_URL: PostgreSQL is not supported yet, it arrives in a later release; use sqlite://…");
    };
    let options = StorageOptions {
        user_table: config.auth_user_table.clone(),
        readers: usize::try_from(config.database_readers)?,
    };
    Ok(Storage::open(file, &options, clock, metrics)?)
}

/// A path that is no HTTP endpoint is a socket's, or nobody's.
async fn socket_or_nothing(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    match gateway.handshake(request, peer).await {
        Some(response) => response,
        None => ApiError::not_found().into_response(),
    }
}
