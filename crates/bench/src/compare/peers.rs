//! The servers that are compared.

use clap::ValueEnum;

/// A server that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Peer {
    /// This project, all features on, with one event loop as the others have.
    Holodrive,
    /// The same with an event loop for each core, as it comes.
    HolodriveCores,
    /// `Bun.serve` with its own publish and subscribe; stores nothing.
    Bun,
    /// The same with `bun:sqlite`.
    BunSqlite,
    /// Node with `ws`; stores nothing.
    Node,
    /// A bare event loop, the floor; stores nothing.
    Epoll,
    /// The same with `SQLite`, a transaction for each round.
    EpollSqlite,
    /// Django, Channels and `channels_redis` on two uvicorn workers.
    Uvicorn,
    /// The same on Daphne.
    Daphne,
}

impl Peer {
    /// What it is called in files and on the command line.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// What it is called in tables and charts.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Holodrive => "HoloDrive",
            Self::HolodriveCores => "HoloDrive, all cores",
            Self::Bun => "Bun",
            Self::BunSqlite => "Bun + SQLite",
            Self::Node => "Node ws",
            Self::Epoll => "bare epoll",
            Self::EpollSqlite => "bare epoll + SQLite",
            Self::Uvicorn => "Django, uvicorn × 2",
            Self::Daphne => "Django, Daphne",
        }
    }

    /// Whether it is this project.
    pub(crate) const fn is_own(self) -> bool {
        matches!(self, Self::Holodrive | Self::HolodriveCores)
    }

    /// Whether it is Django, which needs milliseconds of CPU time for a connection.
    pub(crate) const fn is_slow(self) -> bool {
        matches!(self, Self::Uvicorn | Self::Daphne)
    }

    /// Whether it is given a database.
    pub(super) const fn stores(self) -> bool {
        matches!(self, Self::BunSqlite | Self::EpollSqlite | Self::Uvicorn | Self::Daphne)
    }
}
