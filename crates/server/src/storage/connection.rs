//! A connection to either engine, and its transactions.

use holodrive_protocol::Timestamp;
use rusqlite::TransactionBehavior;

use super::{Dialect, StorageError, StorageOptions, Tx, postgres, sqlite, tx::Engine};
use crate::config::DatabaseUrl;

/// What a transaction may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Sees what is committed when it begins, and nothing later.
    Read,
    /// Is alone in writing, over all nodes, from its beginning to its end.
    Write,
}

/// A connection that one thread works with.
pub(super) enum Connection {
    Sqlite(rusqlite::Connection),
    Postgres(Box<postgres::Session>),
}

impl Connection {
    /// Connects for writing.
    pub(super) fn open(options: &StorageOptions) -> Result<Self, StorageError> {
        match &options.database {
            DatabaseUrl::Sqlite(file) => sqlite::open_writer(file).map(Self::Sqlite),
            DatabaseUrl::Postgres(url) => {
                let address = postgres::Address::new(url, options)?;
                let mut session = postgres::Session::new(address)?;
                session.connect().map_err(|error| StorageError::Setup(format!("DATABASE_URL: {error}")))?;
                Ok(Self::Postgres(Box::new(session)))
            }
        }
    }

    /// Connects for reading; to a server at the first use.
    pub(super) fn open_reader(options: &StorageOptions) -> Result<Self, StorageError> {
        match &options.database {
            DatabaseUrl::Sqlite(file) => sqlite::open_reader(file).map(Self::Sqlite),
            DatabaseUrl::Postgres(url) => {
                let session = postgres::Session::new(postgres::Address::new(url, options)?)?;
                Ok(Self::Postgres(Box::new(session)))
            }
        }
    }

    /// Connects for looking: a file must be there, and nothing is changed.
    pub(super) fn open_for_inspection(options: &StorageOptions) -> Result<Self, StorageError> {
        match &options.database {
            DatabaseUrl::Sqlite(file) => sqlite::open_for_inspection(file).map(Self::Sqlite),
            DatabaseUrl::Postgres(_) => Self::open(options),
        }
    }

    pub(super) fn begin(&mut self, access: Access) -> Result<Transaction<'_>, StorageError> {
        match self {
            Self::Sqlite(connection) => {
                let behavior = match access {
                    Access::Read => TransactionBehavior::Deferred,
                    Access::Write => TransactionBehavior::Immediate,
                };
                Ok(Transaction::Sqlite(connection.transaction_with_behavior(behavior)?))
            }
            Self::Postgres(session) => session.begin(access).map(Transaction::Postgres),
        }
    }

    /// Rows changed over this connection so far.
    pub(super) fn changes(&self) -> u64 {
        match self {
            Self::Sqlite(connection) => connection.total_changes(),
            Self::Postgres(session) => session.changes(),
        }
    }

    /// Whether the last commit's outcome is not known, because the connection did not outlive it.
    pub(super) fn is_unsettled(&self) -> bool {
        matches!(self, Self::Postgres(session) if session.is_unsettled())
    }

    /// Finds out about such a commit: whether it has happened.
    ///
    /// # Errors
    /// While it cannot be found out.
    pub(super) fn settle(&mut self) -> Result<bool, StorageError> {
        match self {
            Self::Sqlite(_) => Ok(false),
            Self::Postgres(session) => session.settle(),
        }
    }
}

/// A transaction; what is not committed is undone.
pub(super) enum Transaction<'c> {
    Sqlite(rusqlite::Transaction<'c>),
    Postgres(postgres::Transaction<'c>),
}

impl Transaction<'_> {
    pub(super) fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    /// What the server's clock showed when it began to write: after it was alone, so times grow in the order of the commits.
    pub(super) fn told(&self) -> Option<Timestamp> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(transaction) => transaction.told(),
        }
    }

    /// Its statements, at this moment.
    pub(super) fn tx(&mut self, now: Timestamp) -> Tx<'_> {
        let engine = match self {
            Self::Sqlite(transaction) => Engine::Sqlite(sqlite::Statements::new(transaction)),
            Self::Postgres(transaction) => Engine::Postgres(transaction.session()),
        };
        Tx::new(engine, now)
    }

    /// Runs statements without parameters, with semicolons between them.
    pub(super) fn batch(&mut self, sql: &str) -> Result<(), StorageError> {
        match self {
            Self::Sqlite(transaction) => Ok(transaction.execute_batch(sql)?),
            Self::Postgres(transaction) => transaction.session().batch(sql),
        }
    }

    /// Puts everything on disk. When it gives an error, nothing is, unless the connection is
    /// [unsettled](Connection::is_unsettled) then.
    pub(super) fn commit(self) -> Result<(), StorageError> {
        match self {
            Self::Sqlite(transaction) => Ok(transaction.commit()?),
            Self::Postgres(transaction) => transaction.commit(),
        }
    }
}
