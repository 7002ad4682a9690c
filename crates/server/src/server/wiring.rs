//! Puts the parts together: the one place that knows them all.

use std::sync::Arc;

use axum::Router;

use crate::{
    accounts::{Accounts, AccountsOptions, AllowedOrigins},
    api::{self, LoginLimiter, Probe, docs::Documents},
    app::{App, Draining},
    channel_layer::ChannelLayer,
    chat::{self, Chat, ChatEndpoint},
    clock::{SharedClock, SystemClock},
    config::Config,
    console,
    eta::Eta,
    gateway::{Gateway, PathPattern, TrustedProxies},
    hooks::Hooks,
    notifications::{self, Notifications, NotificationsEndpoint},
    orders::{self, DriverOrdersEndpoint, Orders, OrdersParts, RiderOrdersEndpoint, TrackingEndpoint},
    push::{self, Pusher, Ways},
    storage::{Storage, StorageOptions},
    telemetry::Metrics,
};

/// Opens the configured database, brought up to date.
pub fn open_storage(config: &Config, clock: SharedClock, metrics: Arc<Metrics>) -> anyhow::Result<Storage> {
    Ok(Storage::open(&StorageOptions::from(config), clock, metrics)?)
}

/// Everything that a server runs on.
pub(super) async fn build(config: Arc<Config>) -> anyhow::Result<Arc<App>> {
    let metrics = Arc::new(Metrics::new());
    let origins = AllowedOrigins::parse(config.allowed_origins.iter().map(String::as_str))?;
    let storage = open_storage(&config, Arc::new(SystemClock), Arc::clone(&metrics))?;
    let clock = Arc::clone(storage.clock());
    let accounts = Arc::new(Accounts::new(storage.clone(), AccountsOptions::from(&*config))?);
    accounts.check_tables().await?;
    let Hooks { driver_orders: driver_orders_hook, chat: chat_hooks, mark_as_read, push: push_hook, presence } =
        Hooks::new(&config, Arc::clone(&clock), Arc::clone(&metrics))?;
    let ways = Ways::new(&config, &clock, push_hook)?;
    let notifications = Notifications::new(storage.clone(), mark_as_read);
    let chat = Chat::new(storage.clone(), Arc::clone(&accounts), Arc::clone(&notifications), chat_hooks);
    let orders = Orders::load(OrdersParts {
        config: Arc::clone(&config),
        storage: storage.clone(),
        accounts: Arc::clone(&accounts),
        notifications: Arc::clone(&notifications),
        chat: Arc::clone(&chat),
        metrics: Arc::clone(&metrics),
        driver_orders: driver_orders_hook,
        eta: Eta::new(&config, &metrics)?,
    })
    .await?;
    let pusher = Pusher::new(Arc::clone(&orders), storage.clone(), Arc::clone(&metrics), ways);
    let driver_orders = DriverOrdersEndpoint::new(Arc::clone(&orders));
    let channel_layer = ChannelLayer::new(&config, &metrics, &clock)?;
    if let Some(layer) = &channel_layer {
        layer.open(&[notifications.outlet(), chat.outlet(), orders.outlet()]);
    }
    let gateway = Gateway::new(
        Arc::clone(&config),
        Arc::clone(&accounts),
        Arc::clone(&metrics),
        Arc::clone(&clock),
        origins.clone(),
    )?
    .accompanied_by(channel_layer.clone())
    .accompanied_by(presence.clone())
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
    let (logins, documents) = (LoginLimiter::new(config.login_rate), Documents::new(&config));
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
        pusher,
        presence,
        gateway: Arc::new(gateway),
        channel_layer,
        logins,
        probe: Probe::default(),
        documents,
        draining: Draining::default(),
    }))
}

/// The routes of the HTTP API, without last slashes.
pub(super) fn routes() -> Router<Arc<App>> {
    api::routes()
        .merge(notifications::routes())
        .merge(chat::routes())
        .merge(orders::routes())
        .merge(push::routes())
        .merge(console::routes())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::api::docs::{PublicAddress, openapi};

    /// A router tells its paths only to people who debug it; the console's files and the fallback are no calls.
    #[test]
    fn every_route_is_documented() {
        let debug = format!("{:?}", routes());
        let no_call = |path: &str| path == "/" || path.starts_with("/{*") || path.starts_with("/console/");
        let is_call = |text: &&str| text.starts_with('/') && !no_call(text);
        let mounted: BTreeSet<_> = debug.split('"').filter(is_call).collect();
        let document = openapi(&PublicAddress { authority: String::new(), secure: false });
        let paths = document["paths"].as_object().into_iter().flatten();
        let documented: BTreeSet<_> = paths.map(|(path, _)| path.trim_end_matches('/')).collect();
        assert_eq!(mounted, documented);
    }
}
