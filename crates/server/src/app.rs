//! The parts of a running server, as its HTTP handlers and commands see them.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::{
    accounts::{Accounts, AllowedOrigins},
    api::{LoginLimiter, Probe, docs::Documents},
    channel_layer::ChannelLayer,
    chat::Chat,
    clock::SharedClock,
    config::Config,
    gateway::{Gateway, TrustedProxies},
    hooks::Presence,
    notifications::Notifications,
    orders::Orders,
    push::Pusher,
    storage::Storage,
    telemetry::Metrics,
};

/// Everything that a request may need; the state of every HTTP handler is `Arc<App>`.
pub struct App {
    /// The settings in effect.
    pub config: Arc<Config>,
    /// The database.
    pub storage: Storage,
    /// Who is who.
    pub accounts: Arc<Accounts>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Tells the time: the database's.
    pub clock: SharedClock,
    /// Where browsers may come from.
    pub origins: AllowedOrigins,
    /// The proxies whose word about a client's address counts.
    pub proxies: TrustedProxies,
    /// What users are told.
    pub notifications: Arc<Notifications>,
    /// Conversations.
    pub chat: Arc<Chat>,
    /// Orders and drivers.
    pub orders: Arc<Orders>,
    /// Wakes the phones of drivers, where there is a way to them.
    pub pusher: Option<Arc<Pusher>>,
    /// Tells the back end who is connected, where it wants to know.
    pub presence: Option<Arc<Presence>>,
    /// Everything about sockets.
    pub gateway: Arc<Gateway>,
    /// Django's channel layer, where one is set.
    pub channel_layer: Option<Arc<ChannelLayer>>,
    /// How often somebody may try to log in.
    pub logins: LoginLimiter,
    /// Looks whether the database works.
    pub probe: Probe,
    /// The API's own documents.
    pub documents: Documents,
    /// Whether this node is going down.
    pub draining: Draining,
}

/// Whether the node is going down: from then on it is not ready, so that a balancer sends nobody here any more.
#[derive(Debug, Default)]
pub struct Draining(AtomicBool);

impl Draining {
    /// The node goes down; there is no way back.
    pub fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it does.
    pub fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
