//! Puts the parts together: the one place that knows them all.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::{ConnectInfo, MatchedPath, Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use tokio::time::Instant;

use crate::{
    accounts::{Accounts, AccountsOptions, AllowedOrigins},
    api::ApiError,
    app::{App, Draining},
    chat::{self, Chat, ChatEndpoint},
    clock::{SharedClock, SystemClock},
    config::{Config, DatabaseUrl},
    gateway::{Gateway, PathPattern, TrustedProxies},
    notifications::{self, Notifications, NotificationsEndpoint},
    orders::{self, DriverOrdersEndpoint, Orders, OrdersParts, RiderOrdersEndpoint, TrackingEndpoint},
    storage::{Storage, StorageOptions},
    telemetry::Metrics,
};

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

/// Everything that a server runs on.
pub(super) async fn build(config: Arc<Config>) -> anyhow::Result<Arc<App>> {
    let clock: SharedClock = Arc::new(SystemClock);
    let metrics = Arc::new(Metrics::new());
    let origins = AllowedOrigins::parse(config.allowed_origins.iter().map(String::as_str))?;
    let storage = open_storage(&config, Arc::clone(&clock), Arc::clone(&metrics))?;
    let accounts = Arc::new(Accounts::new(storage.clone(), AccountsOptions::from(&*config))?);
    let notifications = Notifications::new(storage.clone());
    let chat = Chat::new(storage.clone(), Arc::clone(&accounts), Arc::clone(&notifications));
    let orders = Orders::load(OrdersParts {
        config: Arc::clone(&config),
        storage: storage.clone(),
        accounts: Arc::clone(&accounts),
        notifications: Arc::clone(&notifications),
        chat: Arc::clone(&chat),
        metrics: Arc::clone(&metrics),
    })
    .await?;
    let driver_orders = DriverOrdersEndpoint::new(Arc::clone(&orders));
    let gateway = Gateway::new(
        Arc::clone(&config),
        Arc::clone(&accounts),
        Arc::clone(&metrics),
        Arc::clone(&clock),
        origins.clone(),
    )
    .endpoint(
        PathPattern::new("/ws/notifications/").user_scoped(),
        &NotificationsEndpoint::new(Arc::clone(&notifications)),
    )
    .endpoint(PathPattern::new("/ws/chat/{id}/"), &ChatEndpoint::new(Arc::clone(&chat)))
    .endpoint(PathPattern::new("/ws/driver/orders/"), &driver_orders)
    .endpoint(PathPattern::new("/ws/driver/order/"), &driver_orders)
    .endpoint(PathPattern::new("/ws/rider/orders/"), &RiderOrdersEndpoint::new(Arc::clone(&orders)))
    .endpoint(PathPattern::new("/ws/order/{id}/tracking/"), &TrackingEndpoint::new(Arc::clone(&orders)));
    let proxies = TrustedProxies::new(config.trusted_proxies.clone());
    let (gateway, draining) = (Arc::new(gateway), Draining::default());
    Ok(Arc::new(App {
        config,
        storage,
        accounts,
        metrics,
        clock,
        origins,
        proxies,
        notifications,
        chat,
        orders,
        gateway,
        draining,
    }))
}

/// Who answers which request.
pub(super) fn router(app: Arc<App>) -> Router {
    orders::routes()
        .merge(notifications::routes())
        .merge(chat::routes())
        .fallback(socket_or_nothing)
        .layer(middleware::from_fn_with_state(Arc::clone(&app), measure))
        .with_state(app)
}

/// A path that is no HTTP endpoint is a socket's, or nobody's.
async fn socket_or_nothing(
    State(app): State<Arc<App>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    match app.gateway.handshake(request, peer).await {
        Some(response) => response,
        None => ApiError::not_found().into_response(),
    }
}

/// Counts and times every answer, by the route that matched.
async fn measure(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (method, began) = (request.method().clone(), Instant::now());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let route = route.as_ref().map_or("other", MatchedPath::as_str);
    app.metrics.request_answered(&method, route, response.status(), began.elapsed());
    response
}
