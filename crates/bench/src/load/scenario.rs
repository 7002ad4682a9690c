//! What is measured: the work, its size, and how it is run against a server.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use super::{
    chat::{Kind, Pace},
    figures::Figures,
    lines::{Door, Path},
    observed::Observed,
    opening, talking,
};

/// A server that is ready to be loaded.
pub(crate) struct Target {
    /// Where its processes listen; connections are spread over them.
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) observed: Observed,
    /// Access tokens of the users 1, 2, 3, ….
    pub(crate) tokens: Vec<Arc<str>>,
    /// Keys of the conversations; the members are the users in their order, each in one conversation.
    pub(crate) conversations: Vec<i64>,
}

impl Target {
    /// A connection of the user with this place in the list to the notifications.
    pub(crate) fn notifications(&self, user: usize) -> Door {
        self.door(user, Path::Notifications)
    }

    /// A connection of that user, who is a driver, to his orders.
    pub(crate) fn driver(&self, user: usize) -> Door {
        self.door(user, Path::DriverOrders)
    }

    /// A connection of that user to a conversation.
    pub(crate) fn chat(&self, conversation: usize, user: usize) -> Door {
        self.door(user, Path::Chat(self.conversations[conversation]))
    }

    fn door(&self, user: usize, path: Path) -> Door {
        let address = self.addresses[user % self.addresses.len()];
        Door { address, path, token: Arc::clone(&self.tokens[user]) }
    }
}

/// A kind of work and its size.
#[derive(Clone, Copy)]
pub(crate) enum Work {
    /// Connections on which nothing happens; memory is read after `hold`.
    Idle { connections: usize, hold: Duration },
    /// Connections as fast as they come.
    Connect { connections: usize },
    /// Conversations of `members`.
    Talk { kind: Kind, pace: Pace, conversations: usize, members: usize, time: Time },
    /// `ping` and `pong`.
    Ping { connections: usize, time: Time },
    /// Positions of drivers.
    Positions { connections: usize, time: Time },
    /// Notifications that back ends post, so many at the same time, to users with a connection each.
    Notifications { connections: usize, posting: usize, time: Time },
    /// All connections are cut at once, and come back.
    Reconnect { connections: usize },
    /// All connections are cut at once, while others connect.
    Disconnect { connections: usize },
}

/// Another size than the usual one; what does not belong to the scenario has no effect.
#[derive(clap::Args, Clone, Copy)]
pub(crate) struct Resize {
    /// Connections on which nothing else happens
    #[arg(long)]
    connections: Option<usize>,
    /// Conversations at once
    #[arg(long)]
    conversations: Option<usize>,
    /// Members of each conversation
    #[arg(long)]
    members: Option<usize>,
    /// Messages under way in each conversation; each is followed by the next one
    #[arg(long)]
    in_flight: Option<usize>,
    /// Messages a second, whatever the server does
    #[arg(long, conflicts_with = "in_flight")]
    rate: Option<f64>,
    /// Seconds that are measured
    #[arg(long)]
    seconds: Option<u32>,
}

impl Resize {
    /// The same work in that size.
    pub(crate) fn apply(self, mut work: Work) -> Work {
        match &mut work {
            Work::Idle { connections, .. }
            | Work::Connect { connections }
            | Work::Reconnect { connections }
            | Work::Disconnect { connections } => {
                *connections = self.connections.unwrap_or(*connections);
            }
            Work::Ping { connections, time }
            | Work::Positions { connections, time }
            | Work::Notifications { connections, time, .. } => {
                *connections = self.connections.unwrap_or(*connections);
                time.measured = self.measured(*time);
            }
            Work::Talk { pace, conversations, members, time, .. } => {
                *conversations = self.conversations.unwrap_or(*conversations);
                *members = self.members.unwrap_or(*members);
                *pace = self.in_flight.map(Pace::Closed).or(self.rate.map(Pace::Open)).unwrap_or(*pace);
                time.measured = self.measured(*time);
            }
        }
        work
    }

    fn measured(&self, time: Time) -> Duration {
        self.seconds.map_or(time.measured, |seconds| Duration::from_secs(seconds.into()))
    }
}

/// How long something runs.
#[derive(Clone, Copy)]
pub(crate) struct Time {
    /// Not measured: compilers that compile while they run get time to do so.
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
}

impl Work {
    /// Users that take part.
    pub(crate) fn users(&self) -> usize {
        match *self {
            Self::Idle { connections, .. }
            | Self::Connect { connections }
            | Self::Reconnect { connections }
            | Self::Positions { connections, .. }
            | Self::Notifications { connections, .. }
            | Self::Ping { connections, .. } => connections,
            Self::Disconnect { connections } => connections + opening::newcomers(),
            Self::Talk { conversations, members, .. } => conversations * members,
        }
    }

    /// Conversations, and members of each.
    pub(crate) fn conversations(&self) -> (usize, usize) {
        match *self {
            Self::Talk { conversations, members, .. } => (conversations, members),
            _ => (0, 0),
        }
    }

    /// Measures.
    pub(crate) fn run(self, target: &Target) -> anyhow::Result<Figures> {
        match self {
            Self::Idle { connections, hold } => opening::idle(target, connections, hold),
            Self::Connect { connections } => opening::connect(target, connections),
            Self::Reconnect { connections } => opening::reconnect(target, connections),
            Self::Disconnect { connections } => opening::disconnect(target, connections),
            Self::Positions { connections, time } => talking::positions(target, connections, time),
            Self::Notifications { connections, posting, time } => {
                talking::notifications(target, connections, posting, time)
            }
            Self::Talk { kind, pace, conversations, members, time } => {
                talking::talk(target, (kind, pace), (conversations, members), time)
            }
            Self::Ping { connections, time } => talking::ping(target, connections, time),
        }
    }
}
