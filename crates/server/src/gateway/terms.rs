//! What all connections of an endpoint have in common.

use std::{sync::Arc, time::Duration};

use prometheus_client::metrics::counter::Counter;

use super::{
    connection::Carrier,
    endpoint::{AnyEndpoint, Profile},
    registry::Registry,
};
use crate::{accounts::Accounts, clock::SharedClock, config::Config, telemetry::Metrics};

/// What the connections of an endpoint rest on and are held to; shared by all of them.
pub(super) struct Terms {
    /// The endpoint's name in metrics and logs.
    pub(super) endpoint: &'static str,
    /// Who carries the bytes of its connections, in the order of their numbers.
    pub(super) carriers: Arc<[Arc<dyn Carrier>]>,
    /// Where its connections are counted; guests are not.
    pub(super) registry: Option<Arc<Registry>>,
    pub(super) accounts: Arc<Accounts>,
    pub(super) metrics: Arc<Metrics>,
    /// Messages of the clients.
    pub(super) received: Counter,
    /// Messages to the clients.
    pub(super) sent: Counter,
    pub(super) clock: SharedClock,
    pub(super) profile: Profile,
    /// After so much silence the peer is sent a ping; `None` is never.
    pub(super) heartbeat_interval: Option<Duration>,
    /// How long the peer may take to show that it is there.
    pub(super) heartbeat_timeout: Option<Duration>,
}

impl Terms {
    pub(super) fn new(
        endpoint: &dyn AnyEndpoint,
        config: &Config,
        carriers: Arc<[Arc<dyn Carrier>]>,
        registry: &Arc<Registry>,
        accounts: Arc<Accounts>,
        metrics: Arc<Metrics>,
        clock: SharedClock,
    ) -> Arc<Self> {
        let (received, sent) = metrics.messages(endpoint.name());
        Arc::new(Self {
            endpoint: endpoint.name(),
            carriers,
            registry: endpoint.guest().is_none().then(|| Arc::clone(registry)),
            received,
            sent,
            accounts,
            metrics,
            clock,
            profile: endpoint.profile(config),
            heartbeat_interval: config.heartbeat_interval,
            heartbeat_timeout: config.heartbeat_timeout,
        })
    }
}
