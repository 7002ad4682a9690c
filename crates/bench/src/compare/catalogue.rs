//! What is compared: scenarios, their sizes, and which servers take part in each.

use crate::load::{Kind, Pace, Work};

use super::{
    columns::{self, Column},
    peers::Peer,
    sizes::{Scale, Size, connections, idle, leaving, talk, time},
    targets::{Target, at_least, at_most},
};

/// One scenario.
pub(crate) struct Entry {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// What is done, in a sentence or two.
    pub(crate) about: &'static str,
    pub(crate) peers: &'static [Peer],
    /// The first one is what the chart shows and the ratio is made of.
    pub(crate) columns: &'static [Column],
    /// Whether less of the first column is better.
    pub(crate) less_is_better: bool,
    /// What HoloDrive must reach.
    pub(crate) targets: &'static [Target],
    work: fn(Scale) -> Work,
}

impl Entry {
    /// The work for one server.
    pub(crate) fn work(&self, size: Size, peer: Peer) -> Work {
        (self.work)(Scale { size, peer })
    }
}

/// Those that pass messages on without storing them.
const ENGINES: &[Peer] = &[Peer::Holodrive, Peer::Bun, Peer::Node, Peer::Epoll, Peer::Uvicorn, Peer::Daphne];
/// With an event loop for each core besides.
const ENGINES_AND_CORES: &[Peer] =
    &[Peer::Holodrive, Peer::HolodriveCores, Peer::Bun, Peer::Node, Peer::Epoll, Peer::Uvicorn, Peer::Daphne];
const ALL: &[Peer] = &[
    Peer::Holodrive,
    Peer::BunSqlite,
    Peer::EpollSqlite,
    Peer::Uvicorn,
    Peer::Daphne,
    Peer::Bun,
    Peer::Node,
    Peer::Epoll,
];
const STORING: &[Peer] = &[Peer::Holodrive, Peer::BunSqlite, Peer::EpollSqlite, Peer::Uvicorn, Peer::Daphne];
/// All scenarios, in the order of the document.
pub(crate) const SCENARIOS: &[Entry] = &[
    Entry {
        name: "idle",
        title: "Idle connections",
        about: "10,000 authenticated connections of as many users to `/ws/notifications/` (2,000 for Django), from many \
            loopback addresses. Growth of the server's memory (PSS, all its processes) from the empty server until 10 s \
            after the last one, and what is still there 10 s after all were closed; the kernel's memory apart, for both \
            ends of a connection, which are both on this machine.",
        peers: ENGINES,
        columns: columns::IDLE,
        less_is_better: true,
        targets: &[at_most("kib_per_connection", 1.0)],
        work: |scale| idle(scale, 10_000),
    },
    Entry {
        name: "idle-50k",
        title: "50,000 idle connections",
        about: "As above with 50,000. A process may not open more than 20,000 files here, so the others run as \
            three processes, whose growth is summed. HoloDrive is one process everywhere: here with three event loops, each of \
            which has a descriptor table of its own.",
        peers: &[Peer::Holodrive, Peer::Bun, Peer::Epoll],
        columns: columns::IDLE,
        less_is_better: true,
        targets: &[at_most("kib_per_connection", 1.0)],
        work: |scale| idle(scale, 50_000),
    },
    Entry {
        name: "connect",
        title: "Connect storm",
        about: "15,000 users connect to `/ws/notifications/`, 128 handshakes under way at once (1,000 for Django). A \
            connect counts when `connection_established` is there: the token was verified, and by HoloDrive and Django the \
            user looked up as well.",
        peers: ENGINES_AND_CORES,
        columns: columns::CONNECT,
        less_is_better: false,
        targets: &[at_least("per_cpu_s", 1.2).times(&[Peer::Bun])],
        work: |scale| Work::Connect { connections: connections(scale, 15_000) },
    },
    Entry {
        name: "typing",
        title: "Fan-out that nobody stores",
        about: "100 conversations of 10 members, one `typing` under way in each (closed loop): as soon as the nine others \
            have it, the next member sends his. No server stores anything, so this compares what carries the bytes.",
        peers: ENGINES_AND_CORES,
        columns: columns::FAN_OUT,
        less_is_better: false,
        targets: &[at_least("per_cpu_s", 1.1).times(&[Peer::Bun])],
        work: |scale| talk(scale, Kind::Typing, Pace::Closed(1), (100, 10)),
    },
    Entry {
        name: "typing-burst",
        title: "Bursts that nobody stores",
        about: "50 conversations of 20 members, eight `typing` under way in each.",
        peers: &[Peer::Holodrive, Peer::HolodriveCores, Peer::Bun, Peer::Node, Peer::Epoll],
        columns: columns::FAN_OUT,
        less_is_better: false,
        targets: &[at_least("per_cpu_s", 1.25).times(&[Peer::Bun])],
        work: |scale| talk(scale, Kind::Typing, Pace::Closed(8), (50, 20)),
    },
    Entry {
        name: "typing-light",
        title: "Latency at light load",
        about: "100 `typing` a second to conversations of 10, whatever the server does (open loop): 900 deliveries a second. \
            Latency counts from the moment at which a message was due.",
        peers: ENGINES,
        columns: columns::LATENCY,
        less_is_better: true,
        targets: &[at_most("p50_ms", 0.8).times(&[Peer::Bun])],
        work: |scale| talk(scale, Kind::Typing, Pace::Open(100.0), (10, 10)),
    },
    Entry {
        name: "fanout",
        title: "Chat fan-out",
        about: "100 conversations of 10 members, one `chat_message` under way in each. HoloDrive, Django and the two with \
            SQLite in their name store the message and nine notifications, and sync them to the disk, before they send it; \
            the others store nothing.",
        peers: ALL,
        columns: columns::FAN_OUT,
        less_is_better: false,
        targets: &[],
        work: |scale| talk(scale, Kind::Message, Pace::Closed(1), (100, 10)),
    },
    Entry {
        name: "burst",
        title: "Chat bursts",
        about: "50 conversations of 20 members, eight `chat_message` under way in each; who stores is as above, here with 19 \
            notifications.",
        peers: &[Peer::Holodrive, Peer::BunSqlite, Peer::EpollSqlite, Peer::Bun, Peer::Node, Peer::Epoll],
        columns: columns::FAN_OUT,
        less_is_better: false,
        targets: &[],
        work: |scale| talk(scale, Kind::Message, Pace::Closed(8), (50, 20)),
    },
    Entry {
        name: "chat-light",
        title: "Latency of stored chat at light load",
        about: "30 `chat_message` a second to conversations of 10, whatever the server does (open loop): 300 deliveries a \
            second. Who stores is as above. Latency counts from the moment at which a message was due.",
        peers: ALL,
        columns: columns::LATENCY,
        less_is_better: true,
        targets: &[],
        work: |scale| talk(scale, Kind::Message, Pace::Open(30.0), (10, 10)),
    },
    Entry {
        name: "durable",
        title: "Durable chat",
        about: "200 conversations of 2 members, one `chat_message` under way in each, stored with the notification to the \
            other member and synced before it is sent (SQLite, WAL, `synchronous=FULL`). Two deliveries for each message.",
        peers: STORING,
        columns: columns::DURABLE,
        less_is_better: false,
        targets: &[
            at_least("messages_per_s", 3.0).times(&[Peer::BunSqlite]),
            at_least("messages_per_s", 25.0).times(&[Peer::Uvicorn, Peer::Daphne]),
        ],
        work: |scale| talk(scale, Kind::Message, Pace::Closed(1), (200, 2)),
    },
    Entry {
        name: "ping",
        title: "Ping and pong",
        about: "64 connections, one `{\"type\":\"ping\"}` under way on each.",
        peers: ENGINES_AND_CORES,
        columns: columns::PING,
        less_is_better: false,
        targets: &[at_least("per_cpu_s", 1.05).times(&[Peer::Bun])],
        work: |scale| Work::Ping { connections: 64, time: time(scale) },
    },
    Entry {
        name: "reconnect",
        title: "Reconnect storm",
        about: "10,000 connections (1,000 for Django) are cut at once and come back at once, 128 handshakes under way. \
            The wait counts from the cut.",
        peers: ENGINES,
        columns: columns::RECONNECT,
        less_is_better: false,
        targets: &[],
        work: |scale| Work::Reconnect { connections: connections(scale, 10_000) },
    },
    Entry {
        name: "disconnect",
        title: "Connecting while everybody else leaves",
        about: "30,000 connections are cut at once, and from then on another client connects every 10 ms for 2 s, whatever \
            the server does. From the moment at which a connect was due to `connection_established`. HoloDrive holds them in \
            two event loops; the others have one process with as many as the limit on open files allows, but no more than that \
            (19,500 where it is 20,000), so that they have less to do.",
        peers: &[Peer::Holodrive, Peer::Bun, Peer::Node, Peer::Epoll],
        columns: columns::DISCONNECT,
        less_is_better: true,
        targets: &[at_most("max_ms", 100.0)],
        work: |scale| Work::Disconnect { connections: leaving(scale, 30_000) },
    },
    Entry {
        name: "notifications",
        title: "Notifications",
        about: "64 back ends post one notification after another over HTTP, to 1,000 users with a socket each: stored, synced, \
            answered and delivered. Latency from the beginning of the post to the arrival at the socket.",
        peers: &[Peer::Holodrive],
        columns: columns::NOTIFICATIONS,
        less_is_better: false,
        targets: &[],
        work: |scale| Work::Notifications { connections: 1_000, posting: 64, time: time(scale) },
    },
    Entry {
        name: "positions",
        title: "Positions",
        about: "2,000 drivers send `location` after `location` on their sockets, with a `ping` behind each ten, whose answer \
            tells that the server has taken them. Latency is that of ten positions and the ping.",
        peers: &[Peer::Holodrive],
        columns: columns::POSITIONS,
        less_is_better: false,
        targets: &[at_least("per_s", 250_000.0)],
        work: |scale| Work::Positions { connections: 2_000, time: time(scale) },
    },
];

/// The names of all scenarios.
pub(crate) fn names() -> Vec<&'static str> {
    SCENARIOS.iter().map(|entry| entry.name).collect()
}
