//! One Redis server of the layer: tells it which groups are wanted, for as long as it can be reached.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::oneshot,
    time::{Instant, MissedTickBehavior, interval, sleep},
};

use super::{
    groups::{Group, Seat},
    inward::Inward,
    names::tag,
    redis::{Core, Failure, Host, Members, PubSub},
    settings::Backend,
};
use crate::{
    gateway::Connection,
    telemetry::{Metrics, Seldom},
};

/// Groups that Redis is told of in one go.
const BATCH: usize = 500;
/// How often the server is asked whether it is there, and how long at least a group outlives its last connection.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How often memberships are renewed at the least, in case that Redis was emptied.
const RENEWAL: Duration = Duration::from_secs(300);
/// The pauses between attempts to connect.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// One Redis server, and the groups that it has.
pub(super) struct Link {
    pub(super) host: Host,
    pub(super) backend: Backend,
    pub(super) inward: Arc<Inward>,
    /// Says that the server cannot be reached.
    pub(super) failing: Seldom,
}

/// A connection to the server.
enum Wire {
    PubSub(PubSub),
    Core(Core),
}

impl Link {
    /// Adds a connection to a group; the receiver ends when its messages come, or cannot come.
    pub(super) fn enter(&self, name: String, connection: &Arc<Connection>) -> (Seat, Option<oneshot::Receiver<()>>) {
        let address = match self.backend {
            Backend::Pubsub => self.inward.names.pubsub_channel(&name),
            Backend::Core => tag(&name, &self.inward.queue_of(&name).process),
        };
        self.inward.groups.enter(name, address.into(), connection)
    }

    /// Serves the groups, and connects again whenever the server was lost.
    pub(super) async fn run(&self) {
        let mut pause = SHORTEST_PAUSE;
        loop {
            let begun = Instant::now();
            let failure = match self.connect().await {
                Ok(mut wire) => self.serve(&mut wire).await.err(),
                Err(failure) => Some(failure),
            };
            self.inward.groups.neglect();
            self.tell_lost(failure);
            pause = if begun.elapsed() > LONGEST_PAUSE { SHORTEST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
            sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
            self.inward.metrics.channel_layer_reconnect();
        }
    }

    fn tell_lost(&self, failure: Option<Failure>) {
        if let Some(error) = failure
            && self.failing.is_due()
        {
            tracing::warn!(host = self.host.name, %error, "the channel layer cannot be reached; trying again");
        }
    }

    async fn connect(&self) -> Result<Wire, Failure> {
        let inward = Arc::clone(&self.inward);
        Ok(match self.backend {
            Backend::Pubsub => Wire::PubSub(PubSub::connect(&self.host, inward).await?),
            Backend::Core => Wire::Core(Core::connect(&self.host, inward).await?),
        })
    }

    async fn serve(&self, wire: &mut Wire) -> Result<(), Failure> {
        let groups = &self.inward.groups;
        let all = groups.attend();
        self.join(wire, &all).await?;
        tracing::info!(host = self.host.name, groups = all.len(), "the channel layer is listened to");
        let _connected = Connected::new(&self.inward.metrics);
        self.attend(wire).await
    }

    async fn attend(&self, wire: &mut Wire) -> Result<(), Failure> {
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut renewed = Instant::now();
        loop {
            tokio::select! {
                failure = wire.lost() => return Err(failure),
                entered = self.inward.groups.entered() => self.join(wire, &entered).await?,
                _ = heartbeat.tick() => {
                    wire.check().await?;
                    self.leave(wire, &self.inward.groups.sweep()).await?;
                    if renewed.elapsed() >= self.renewal() {
                        renewed = Instant::now();
                        wire.renew(&self.inward.groups.all()).await?;
                    }
                }
            }
        }
    }

    /// Three times in the life of a membership.
    fn renewal(&self) -> Duration {
        RENEWAL.min(self.inward.group_expiry / 3)
    }

    async fn join(&self, wire: &mut Wire, groups: &[Arc<Group>]) -> Result<(), Failure> {
        for some in groups.chunks(BATCH) {
            wire.join(some).await?;
            for group in some {
                group.joined();
            }
        }
        Ok(())
    }

    async fn leave(&self, wire: &mut Wire, groups: &[Arc<Group>]) -> Result<(), Failure> {
        for some in groups.chunks(BATCH) {
            wire.leave(some).await?;
        }
        Ok(())
    }

    /// Takes back what the server knows of this node; nobody runs any more.
    pub(super) async fn depart(&self) -> Result<(), Failure> {
        // What is published to nobody is not kept, so there is nothing to take back.
        if self.backend == Backend::Core {
            let mut members = Members::connect(&self.host, Arc::clone(&self.inward)).await?;
            for some in self.inward.groups.all().chunks(BATCH) {
                members.leave(some).await?;
            }
            members.drop_queues().await?;
        }
        Ok(())
    }
}

/// The time that a server is listened to, for `/metrics`.
struct Connected<'a>(&'a Metrics);

impl<'a> Connected<'a> {
    fn new(metrics: &'a Metrics) -> Self {
        metrics.channel_layer_connected(true);
        Self(metrics)
    }
}

impl Drop for Connected<'_> {
    fn drop(&mut self) {
        self.0.channel_layer_connected(false);
    }
}

impl Wire {
    async fn join(&mut self, groups: &[Arc<Group>]) -> Result<(), Failure> {
        match self {
            Self::PubSub(pubsub) => pubsub.join(groups).await,
            Self::Core(core) => core.members.join(groups).await,
        }
    }

    async fn leave(&mut self, groups: &[Arc<Group>]) -> Result<(), Failure> {
        match self {
            Self::PubSub(pubsub) => pubsub.leave(groups).await,
            Self::Core(core) => core.members.leave(groups).await,
        }
    }

    /// Shows that the groups are still wanted, where that is forgotten in time.
    async fn renew(&mut self, groups: &[Arc<Group>]) -> Result<(), Failure> {
        let Self::Core(core) = self else { return Ok(()) };
        for some in groups.chunks(BATCH) {
            core.members.join(some).await?;
        }
        Ok(())
    }

    async fn check(&mut self) -> Result<(), Failure> {
        match self {
            Self::PubSub(pubsub) => pubsub.check().await,
            Self::Core(core) => core.check().await,
        }
    }

    /// Ends when the connection is lost.
    async fn lost(&mut self) -> Failure {
        match self {
            Self::PubSub(pubsub) => pubsub.lost().await,
            Self::Core(core) => core.lost().await,
        }
    }
}
