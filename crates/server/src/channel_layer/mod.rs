//! Django's channel layer in: what Django code sends with `group_send` reaches the sockets of this node.
//!
//! It speaks the formats of `channels_redis` 4, both layers, so that nothing changes in Django. A connection joins the
//! groups that [`GroupPattern`]s give its endpoint; a group is joined in Redis while it has connections here.
//!
//! ```text
//! Endpoint::open ─► ChannelLayer::accompany ─► groups: who is in ──► link: tells Redis of groups
//!                                                 ▲
//!  Redis ─► redis::{pubsub, core} ─► inward ─► codec: one frame for all
//! ```
//!
//! Delivery is at most once, as with Channels: what is sent while Redis cannot be reached is lost. There is no queue of
//! ours between Redis and the connections: what is read is decoded and queued there at once, under their own limits.

mod codec;
mod fernet;
mod groups;
mod inward;
mod link;
mod msgpack;
mod names;
mod outlet;
pub(crate) mod redis;
mod sending;
mod settings;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
mod tests;

use std::{sync::Arc, time::Duration};

use futures_util::future::{join, join_all};
use tokio::{
    sync::{Mutex, mpsc},
    time::timeout,
};

pub use outlet::Outlet;
pub use settings::{Backend, GroupPattern, Rename, Serializer};

use self::{
    codec::Codec,
    groups::{Groups, Seat},
    inward::Inward,
    link::Link,
    names::{Names, host_of, is_valid_in_core},
    outlet::Outgoing,
    redis::{Host, Publisher, queues},
    sending::{QUEUE, Sender, Work},
};
use crate::{
    clock::SharedClock,
    config::Config,
    gateway::{BoxFuture, Companion, Company, Connection, Opening},
    telemetry::{Metrics, Seldom},
};

/// How long a connection waits until Redis knows its groups: then it is served without.
const JOIN_PATIENCE: Duration = Duration::from_secs(1);
/// How long Redis is waited for when the server ends.
const DEPART_PATIENCE: Duration = Duration::from_secs(2);

/// Settings that do not go together.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// A group's name that Django refuses.
    #[error("CHANNEL_LAYER_GROUPS: {0:?} has characters, or a length, that the layer core does not allow")]
    GroupName(String),
    /// An address that cannot be used.
    #[error("CHANNEL_LAYER_URL: {0}")]
    Address(String),
}

/// The layer, as this node hears it.
pub struct ChannelLayer {
    backend: Backend,
    patterns: Vec<GroupPattern>,
    names: Names,
    links: Vec<Link>,
    /// Where our own events go out; none without `CHANNEL_LAYER_OUT`.
    out: Option<Out>,
}

/// The way out.
struct Out {
    outgoing: Arc<Outgoing>,
    sender: Sender,
}

impl ChannelLayer {
    /// The layer that the settings describe; `None` without `CHANNEL_LAYER_URL`. It connects in [`ChannelLayer::run`].
    ///
    /// # Errors
    /// When the settings contradict each other.
    pub fn new(config: &Config, metrics: &Arc<Metrics>, clock: &SharedClock) -> Result<Option<Arc<Self>>, LayerError> {
        if config.channel_layer_url.is_empty() {
            return Ok(None);
        }
        let (backend, patterns) = (config.channel_layer_backend, config.channel_layer_groups.clone());
        let names = Names::new(&config.channel_layer_prefix);
        check_names(backend, &patterns)?;
        let codec = Arc::new(Codec::new(config, Arc::clone(clock)));
        let hosts = hosts(config)?;
        let (count, share) = (hosts.len(), (config.channel_layer_queues as usize).div_ceil(hosts.len()));
        let link = |(place, host)| {
            // The queues of a group are where the group is, so a server that is down harms its own groups only.
            let queues = if backend == Backend::Core { queues(&names, share, place, count) } else { Vec::new() };
            let inward = Arc::new(Inward {
                names: names.clone(),
                groups: Groups::new(metrics.channel_layer_groups()),
                queues,
                group_expiry: config.channel_layer_group_expiry,
                codec: Arc::clone(&codec),
                metrics: Arc::clone(metrics),
                clock: Arc::clone(clock),
                undecodable: Seldom::default(),
            });
            Link { host, backend, inward, failing: Seldom::default() }
        };
        let links = hosts.into_iter().enumerate().map(link).collect();
        let out = config.channel_layer_out.then(|| out(config, &names, codec, metrics, clock)).transpose()?;
        Ok(Some(Arc::new(Self { backend, patterns, names, links, out })))
    }

    /// Has the features' own events told to Django's consumers, where that is wanted.
    pub fn open(&self, outlets: &[&Outlet]) {
        if let Some(Out { outgoing, .. }) = &self.out {
            for outlet in outlets {
                outlet.open(Arc::clone(outgoing));
            }
        }
    }

    /// Listens, and sends, for as long as the server runs.
    pub async fn run(self: Arc<Self>) {
        let sending = async {
            if let Some(Out { sender, .. }) = &self.out {
                sender.run().await;
            }
        };
        join(join_all(self.links.iter().map(Link::run)), sending).await;
    }

    /// Takes back what Redis knows of this node, once [`ChannelLayer::run`] has ended.
    pub async fn depart(&self) {
        let departures = self.links.iter().map(|link| timeout(DEPART_PATIENCE, link.depart()));
        for departed in join_all(departures).await {
            match departed {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "the channel layer could not be told that this node stops"),
                Err(_) => tracing::warn!("the channel layer could not be told in time that this node stops"),
            }
        }
    }

    fn groups_of(&self, endpoint: &str, connection: &Connection, opening: Opening) -> Vec<String> {
        let id = || match opening.object_id {
            0 => connection.user_id().to_string(),
            id => id.to_string(),
        };
        self.patterns
            .iter()
            .filter(|pattern| pattern.endpoint() == endpoint)
            .map(|pattern| pattern.name(&id()))
            .collect()
    }

    fn link_of(&self, group: &str) -> &Link {
        let hosts = self.links.len();
        &self.links[match self.backend {
            Backend::Core => host_of(group, hosts),
            Backend::Pubsub => host_of(&self.names.pubsub_channel(group), hosts),
        }]
    }

    async fn join(&self, groups: Vec<String>, connection: &Arc<Connection>) -> Vec<Seat> {
        let enter = |name: String| self.link_of(&name).enter(name, connection);
        let (seats, joined): (Vec<_>, Vec<_>) = groups.into_iter().map(enter).unzip();
        if timeout(JOIN_PATIENCE, join_all(joined.into_iter().flatten())).await.is_err() {
            tracing::debug!("Redis takes too long: a connection begins before its groups are joined");
        }
        seats
    }
}

impl Companion for Arc<ChannelLayer> {
    fn accompanies(&self, endpoint: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.endpoint() == endpoint)
    }

    fn accompany<'a>(
        &'a self,
        endpoint: &'static str,
        connection: &'a Arc<Connection>,
        opening: Opening,
    ) -> BoxFuture<'a, Box<dyn Company>> {
        let groups = self.groups_of(endpoint, connection, opening);
        Box::pin(async move { Box::new(self.join(groups, connection).await) as Box<dyn Company> })
    }
}

/// Its groups are left when it is dropped.
impl Company for Vec<Seat> {}

fn check_names(backend: Backend, patterns: &[GroupPattern]) -> Result<(), LayerError> {
    let without_ids = patterns.iter().map(|pattern| pattern.name(""));
    match without_ids.into_iter().find(|name| backend == Backend::Core && !is_valid_in_core(name)) {
        Some(name) => Err(LayerError::GroupName(name)),
        None => Ok(()),
    }
}

fn hosts(config: &Config) -> Result<Vec<Host>, LayerError> {
    let host = |url| Host::new(url, config.channel_layer_backend);
    let hosts = config.channel_layer_url.iter().map(host).collect::<Result<_, _>>();
    hosts.map_err(|error| LayerError::Address(error.to_string()))
}

fn out(
    config: &Config,
    names: &Names,
    codec: Arc<Codec>,
    metrics: &Arc<Metrics>,
    clock: &SharedClock,
) -> Result<Out, LayerError> {
    let (queue, waiting) = mpsc::channel(QUEUE);
    let hosts = hosts(config)?;
    let sender = Sender {
        backend: config.channel_layer_backend,
        names: names.clone(),
        codec,
        metrics: Arc::clone(metrics),
        clock: Arc::clone(clock),
        expiry: config.channel_layer_expiry,
        group_expiry: config.channel_layer_group_expiry,
        capacity: config.channel_layer_capacity,
        hosts: hosts.len(),
        work: Mutex::new(Work { queue: waiting, publisher: Publisher::new(hosts), last: 0.0 }),
        failing: Seldom::default(),
    };
    let patterns = config.channel_layer_groups.clone();
    let outgoing = Outgoing { patterns, queue, metrics: Arc::clone(metrics), full: Seldom::default() };
    Ok(Out { outgoing: Arc::new(outgoing), sender })
}

/// Asks each server of the layer whether it is there: its name, and what is wrong with it.
///
/// # Errors
/// When the settings contradict each other.
pub(crate) fn look(config: &Config) -> Result<Vec<(String, Option<String>)>, LayerError> {
    let look = |host: Host| {
        let problem = host.ping().err().map(|error| error.to_string());
        (host.name, problem)
    };
    check_names(config.channel_layer_backend, &config.channel_layer_groups)?;
    Ok(hosts(config)?.into_iter().map(look).collect())
}
