//! Where durable facts live: transactions, group commit and migrations.
//!
//! A feature hands a closure to [`Storage::write`] or [`Storage::read`]. It gets a [`Tx`], which speaks SQL with `$n`
//! parameters that SQLite and PostgreSQL both understand. Storage does not know what the rows mean.
//!
//! All writes pass through one writer ([`writer`]): it takes what is waiting into one transaction and one sync, and
//! answers after the commit. What a write wants to tell the world goes to [`Tx::publish`]: every node on the database
//! hears of it, in commit order and only when the commit succeeded ([`outbox`]).

mod database;
mod error;
mod inspect;
mod migrations;
mod node;
mod outbox;
mod readers;
mod tx;
mod value;
mod writer;

use std::{path::Path, sync::Arc};

pub use database::UserKey;
pub use error::StorageError;
pub use inspect::Inspection;
pub use outbox::{Event, Topic};
pub use tx::Tx;
pub use value::{Columns, FromValue, Row, Value};

use self::writer::Guard;
use crate::clock::SharedClock;
use crate::telemetry::Metrics;

/// How the embedded database is opened.
#[derive(Clone, Debug)]
pub struct StorageOptions {
    /// The user table of the accounts, `auth_user` by default.
    pub user_table: String,
    /// Connections for reading.
    pub readers: usize,
    /// Writes that share one commit at the most.
    pub write_batch: usize,
}

/// A handle to the database; cheap to clone.
#[derive(Clone)]
pub struct Storage {
    writer: writer::Writer,
    readers: readers::Readers,
    outbox: Arc<outbox::Outbox>,
    clock: SharedClock,
}

impl Storage {
    /// Opens the database file, brings its schema up to date and starts the writer.
    ///
    /// # Errors
    /// When the file cannot be opened, does not take the pragmas that durability needs, or a migration fails.
    pub fn open(
        path: &Path,
        options: &StorageOptions,
        clock: SharedClock,
        metrics: Arc<Metrics>,
    ) -> Result<Self, StorageError> {
        let mut connection = database::open_writer(path)?;
        migrations::run(&mut connection, options, clock.as_ref())?;
        let readers = readers::Readers::open(path, options.readers.max(1), &clock)?;
        let outbox = Arc::new(outbox::Outbox::new());
        let writer =
            writer::Writer::start(connection, options.write_batch, clock.clone(), metrics, Arc::clone(&outbox))?;
        Ok(Self { writer, readers, outbox, clock })
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

    /// The clock of this database.
    pub fn clock(&self) -> &SharedClock {
        &self.clock
    }

    /// Whether the last commit succeeded; while it did not, the node is not ready.
    pub fn is_healthy(&self) -> bool {
        self.writer.is_healthy()
    }
}
