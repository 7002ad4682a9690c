//! The types of settings that the standard library has none for.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

/// A text that must never be shown: its `Debug` form is a mask.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Takes the text over.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(********)")
    }
}

/// Which database holds the durable facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// The embedded database, in this file.
    Sqlite(PathBuf),
    /// A PostgreSQL server, by its connection URL.
    Postgres(Secret),
}

impl DatabaseUrl {
    /// The folder for files of our own: the one of the SQLite file, otherwise `data`.
    pub fn data_dir(&self) -> &Path {
        let parent = match self {
            Self::Sqlite(file) => file.parent(),
            Self::Postgres(_) => Some(Path::new("data")),
        };
        match parent {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        }
    }
}

/// Where Django keeps its sessions. Other engines keep them where no other process can read them safely.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEngine {
    /// `django.contrib.sessions.backends.db`: in the table `django_session`.
    Database,
    /// `django.contrib.sessions.backends.cached_db`: in the same table, and in a cache that we need not read.
    CachedDatabase,
}

impl SessionEngine {
    /// By Django's name for it.
    pub(super) fn by_name(name: &str) -> Option<Self> {
        match name.strip_prefix("django.contrib.sessions.backends.")? {
            "db" => Some(Self::Database),
            "cached_db" => Some(Self::CachedDatabase),
            _ => None,
        }
    }
}

/// Who decides which driver is offered an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DispatchMode {
    /// The server offers to the nearest driver by itself.
    Auto,
    /// Staff and back ends do, with `assign`.
    Manual,
}

/// How orders and drivers are brought together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DispatchStrategy {
    /// An order is offered to one driver after another.
    Sequential,
    /// An order is offered to several drivers at once.
    Broadcast,
    /// What came up within a time is matched together.
    Batch,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}
