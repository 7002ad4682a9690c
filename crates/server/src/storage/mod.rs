//! Where durable facts live: transactions, group commit and migrations.
//!
//! A feature hands a closure to [`Storage::write`] or [`Storage::read`]. It gets a [`Tx`], which speaks SQL with `$n`
//! parameters that SQLite and PostgreSQL both understand. Storage does not know what the rows mean.
//!
//! All writes pass through one writer ([`writer`]): it takes what is waiting into one transaction and one sync, and
//! answers after the commit. What a write wants to tell the world goes to [`Tx::publish`]: every node on the database
//! hears of it, in commit order and only when the commit succeeded ([`outbox`]).

mod clock;
mod connection;
pub mod datetime;
mod dialect;
mod error;
mod inspect;
mod migrations;
mod node;
mod outbox;
mod postgres;
mod readers;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod rewrites;
mod sqlite;
mod table;
mod tx;
mod value;
mod writer;

use std::{sync::Arc, thread, time::Duration};

pub use clock::TimeSource;
pub use dialect::{Dialect, UserKey};
pub use error::StorageError;
pub use inspect::Inspection;
pub use outbox::{Event, Topic};
#[cfg(test)]
pub(crate) use rewrites::Rewrite;
pub use table::{Table, UserTable};
pub use tx::Tx;
pub(crate) use tx::placeholders;
pub use value::{Columns, FromValue, Row, Value};

use self::{clock::DatabaseClock, connection::Connection, writer::Guard};
use crate::{
    clock::SharedClock,
    config::{Config, DatabaseUrl},
    telemetry::Metrics,
};

/// How the database is opened.
#[derive(Clone, Debug)]
pub struct StorageOptions {
    /// Where it is.
    pub database: DatabaseUrl,
    /// The schema of our own tables in PostgreSQL; none: the first of the search path.
    pub schema: Option<String>,
    /// How long PostgreSQL may take for one answer.
    pub timeout: Duration,
    /// The user table of the accounts, `auth_user` by default.
    pub user_table: String,
    /// Connections for reading.
    pub readers: usize,
    /// Writes that share one commit at the most.
    pub write_batch: usize,
    /// Whose clock counts.
    pub time: TimeSource,
}

impl From<&Config> for StorageOptions {
    fn from(config: &Config) -> Self {
        Self {
            database: config.database_url.clone(),
            schema: config.database_schema.clone(),
            timeout: config.database_timeout,
            user_table: config.auth_user_table.clone(),
            readers: config.database_readers as usize,
            write_batch: config.write_batch as usize,
            time: TimeSource::Database,
        }
    }
}

/// A handle to the database; cheap to clone.
#[derive(Clone)]
pub struct Storage {
    writer: writer::Writer,
    readers: readers::Readers,
    outbox: Arc<outbox::Outbox>,
    clock: SharedClock,
    user_table: Arc<UserTable>,
    /// Where the database tells of what other nodes commit.
    postgres: Option<postgres::Address>,
}

impl Storage {
    /// Opens the database, brings its schema up to date and starts the writer. `clock` is this node's.
    ///
    /// # Errors
    /// When the database cannot be reached or opened, does not take what durability needs, or a migration fails.
    pub fn open(options: &StorageOptions, clock: SharedClock, metrics: Arc<Metrics>) -> Result<Self, StorageError> {
        // A connection is driven by the thread that uses it, which must not be one of the runtime's.
        let opened = thread::scope(|scope| scope.spawn(|| Self::open_here(options, clock, metrics)).join());
        opened.unwrap_or(Err(StorageError::Unavailable))
    }

    fn open_here(options: &StorageOptions, clock: SharedClock, metrics: Arc<Metrics>) -> Result<Self, StorageError> {
        let time = Arc::new(DatabaseClock::new(clock, options.time));
        let user_table = Arc::new(migrations::run(options, &time)?);
        let clock: SharedClock = Arc::clone(&time) as _;
        let readers = readers::Readers::open(options, &clock)?;
        let outbox = Arc::new(outbox::Outbox::new());
        let postgres = match &options.database {
            DatabaseUrl::Sqlite(_) => None,
            DatabaseUrl::Postgres(url) => Some(postgres::Address::new(url, options)?),
        };
        let batch_max = if postgres.is_some() { postgres::WRITE_BATCH_MAX } else { usize::MAX };
        let (connection, batch) = (Connection::open(options)?, options.write_batch.min(batch_max));
        let writer = writer::Writer::start(connection, batch, time, metrics, Arc::clone(&outbox))?;
        Ok(Self { writer, readers, outbox, clock, user_table, postgres })
    }

    /// The table of the users, as it was at the start.
    pub fn user_table(&self) -> &UserTable {
        &self.user_table
    }

    /// Runs `job` in a transaction with others that are waiting, and answers after the commit.
    ///
    /// An error of the job undoes what it wrote, and only that.
    ///
    /// # Errors
    /// The job's own error, or [`StorageError`] when the commit failed: then nothing of it is stored.
    pub async fn write<T, E>(&self, job: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        self.writer.write(Guard::Savepoint, job).await
    }

    /// [`Storage::write`] for a job that changes nothing before it refuses: a way back for it alone takes longer than a small
    /// write itself. Should the database fail it later, everything in its transaction is undone, and nobody's write is
    /// acknowledged.
    ///
    /// # Errors
    /// As [`Storage::write`].
    pub async fn write_unguarded<T, E>(
        &self,
        job: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        self.writer.write(Guard::None, job).await
    }

    /// Runs `job` on a consistent snapshot that holds everything committed before the call.
    ///
    /// # Errors
    /// The job's own error, or [`StorageError`] when the database cannot be read.
    pub async fn read<T, E>(&self, job: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        self.readers.read(job).await
    }

    /// Sends a write that changes nothing all the way to the disk.
    ///
    /// # Errors
    /// When the database cannot store anything at the moment.
    pub async fn probe(&self) -> Result<(), StorageError> {
        self.write(|tx| tx.execute("UPDATE holodrive_migration SET name = name WHERE id = 1", &[]).map(|_| ())).await
    }

    /// A kind of event that transactions publish; `hear` tells this node of one, whichever node it comes from.
    ///
    /// It runs on the writer's thread, so it must be quick and must not wait.
    pub fn topic<E: Event>(&self, name: &'static str, hear: impl Fn(E) + Send + Sync + 'static) -> Topic<E> {
        self.outbox.topic(name, hear)
    }

    /// The clock of this database: with PostgreSQL the server's, for all nodes the same, whatever their own clocks show.
    pub fn clock(&self) -> &SharedClock {
        &self.clock
    }

    /// Whether the last commit succeeded; while it did not, the node is not ready.
    pub fn is_healthy(&self) -> bool {
        self.writer.is_healthy()
    }
}
