//! A connection that one thread drives by itself, and that comes back by itself.

use std::{
    collections::HashMap,
    mem,
    time::{Duration, Instant},
};

use tokio::{runtime::Runtime, task::JoinHandle, time::timeout};
use tokio_postgres::{
    Client, Error, SimpleQueryMessage, SimpleQueryRow, Statement,
    error::SqlState,
    types::{ToSql, Type},
};
use uuid::Uuid;

use super::{
    Transaction,
    address::{Address, text},
    failure::{failed, is_end, not_connected, silent},
    values::{parameter_type, read_row},
};
use crate::storage::{Row, StorageError, Value, connection::Access};

/// How long a server that could not be reached is left alone.
const RETRY_AFTER: Duration = Duration::from_millis(250);
/// Prepared statements that a connection keeps; there are far fewer, unless lists vary a lot.
const STATEMENTS_MAX: usize = 512;

/// A connection to the server, made when it is needed and again when it is lost.
pub(in crate::storage) struct Session {
    runtime: Runtime,
    address: Address,
    live: Option<Live>,
    /// No attempt to connect before.
    retry_at: Option<Instant>,
    /// Statements that go with the next exchange.
    deferred: String,
    changes: u64,
    /// What the last commit has left in the database.
    pub(super) mark: Option<Uuid>,
    /// The mark of a commit whose answer was lost.
    pub(super) unsettled: Option<Uuid>,
}

/// A connection as long as it lasts.
struct Live {
    client: Client,
    driver: JoinHandle<()>,
    statements: HashMap<String, Statement>,
}

impl Drop for Live {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Session {
    /// A session that is not connected yet.
    pub(in crate::storage) fn new(address: Address) -> Result<Self, StorageError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| StorageError::Setup(format!("cannot make a connection to PostgreSQL: {error}")))?;
        Ok(Self {
            runtime,
            address,
            live: None,
            retry_at: None,
            deferred: String::new(),
            changes: 0,
            mark: None,
            unsettled: None,
        })
    }

    /// Connects, unless it is.
    pub(in crate::storage) fn connect(&mut self) -> Result<(), StorageError> {
        if self.live.as_ref().is_some_and(|live| !live.client.is_closed()) {
            return Ok(());
        }
        self.live = None;
        if self.retry_at.is_some_and(|at| Instant::now() < at) {
            return Err(StorageError::Unavailable);
        }
        let opening = async { timeout(self.address.connect_limit(), open(&self.address)).await };
        let connected = self.runtime.block_on(opening);
        let connected =
            connected.map_err(|_| silent()).and_then(|opened| opened.map_err(|error| not_connected(&error)));
        self.retry_at = connected.is_err().then(|| Instant::now() + RETRY_AFTER);
        self.live = Some(connected?);
        Ok(())
    }

    /// Begins a transaction; should the connection turn out to be lost, over a new one, unless the server was silent.
    pub(in crate::storage) fn begin(&mut self, access: Access) -> Result<Transaction<'_>, StorageError> {
        self.forget_deferred();
        self.connect()?;
        let begun = match Transaction::open(self, access) {
            Err(_) if self.live.is_none() => {
                self.connect()?;
                Transaction::open(self, access)?
            }
            opened => opened?,
        };
        Ok(Transaction::new(self, begun))
    }

    pub(in crate::storage) fn changes(&self) -> u64 {
        self.changes
    }

    /// Whether there still is a connection for what was begun.
    pub(in crate::storage) fn in_transaction(&self) -> bool {
        self.live.is_some()
    }

    pub(in crate::storage) fn is_unsettled(&self) -> bool {
        self.unsettled.is_some()
    }

    /// How long it may take until the server is there again.
    pub(super) fn limit_of_waiting(&self) -> Duration {
        self.address.connect_limit()
    }

    /// Forgets the connection, and what was still to be said over it.
    pub(super) fn disconnect(&mut self) {
        self.forget_deferred();
        if let Some(mut live) = self.live.take() {
            live.driver.abort();
            // The driver has the socket: until it is gone, the server keeps the transaction and its locks.
            let ended = self.runtime.block_on(&mut live.driver);
            tracing::debug!(?ended, "a connection to PostgreSQL was given up");
        }
    }

    /// Forgets what was still to be said.
    pub(super) fn forget_deferred(&mut self) {
        self.deferred.clear();
    }

    /// Has a statement without an answer go with the next exchange.
    pub(in crate::storage) fn defer(&mut self, sql: &str) {
        self.deferred.push_str(sql);
        self.deferred.push(';');
    }

    pub(in crate::storage) fn execute(&mut self, sql: &str, params: &[Value]) -> Result<usize, StorageError> {
        let changed = self.exchange(async |client, statements| {
            let statement = prepared(client, statements, sql, params).await?;
            client.execute(&statement, &borrowed(params)).await
        })?;
        self.changes += changed;
        Ok(usize::try_from(changed).unwrap_or(usize::MAX))
    }

    pub(in crate::storage) fn insert(&mut self, sql: &str, params: &[Value]) -> Result<i64, StorageError> {
        let row = self.query(&returning_id(sql), params)?.pop().ok_or(StorageError::Column { index: 0 })?;
        row.first()
    }

    /// All rows travel to the server at once.
    pub(in crate::storage) fn insert_each<T: Copy + Into<Value>>(
        &mut self,
        sql: &str,
        each: &[T],
        shared: &[Value],
    ) -> Result<Vec<i64>, StorageError> {
        let sql = returning_id(sql);
        let rows: Vec<Vec<Value>> =
            each.iter().map(|one| std::iter::once((*one).into()).chain(shared.iter().cloned()).collect()).collect();
        let Some(first) = rows.first() else { return Ok(Vec::new()) };
        let inserted = self.exchange(async |client, statements| {
            let statement = prepared(client, statements, &sql, first).await?;
            let inserts = rows.iter().map(|row| async { client.query_one(&statement, &borrowed(row)).await });
            futures_util::future::try_join_all(inserts).await
        })?;
        self.changes += inserted.len() as u64;
        inserted.iter().map(|row| read_row(row)?.first()).collect()
    }

    pub(in crate::storage) fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>, StorageError> {
        let rows = self.exchange(async |client, statements| {
            let statement = prepared(client, statements, sql, params).await?;
            client.query(&statement, &borrowed(params)).await
        })?;
        if !is_select(sql) {
            self.changes += rows.len() as u64;
        }
        rows.iter().map(read_row).collect()
    }

    /// Runs statements without parameters.
    pub(in crate::storage) fn batch(&mut self, sql: &str) -> Result<(), StorageError> {
        self.exchange(async |client, _| client.batch_execute(sql).await)
    }

    /// The last row that statements without parameters give.
    pub(super) fn ask(&mut self, sql: &str) -> Result<Option<SimpleQueryRow>, StorageError> {
        let messages = self.exchange(async |client, _| client.simple_query(sql).await)?;
        let rows = messages.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        Ok(rows.last())
    }

    /// Says what was deferred and `work`, and waits for the answers, but not for ever.
    fn exchange<T>(
        &mut self,
        work: impl AsyncFnOnce(&Client, &mut HashMap<String, Statement>) -> Result<T, Error>,
    ) -> Result<T, StorageError> {
        let deferred = mem::take(&mut self.deferred);
        let Some(Live { client, statements, .. }) = &mut self.live else { return Err(StorageError::Unavailable) };
        let talk = async {
            if deferred.is_empty() {
                return work(client, statements).await;
            }
            let (before, done) = tokio::join!(client.batch_execute(&deferred), work(client, statements));
            before.and(done)
        };
        let limit = self.address.limit;
        match self.runtime.block_on(async { timeout(limit, talk).await }) {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(self.note(&error)),
            Err(_) => {
                self.disconnect();
                self.retry_at = Some(Instant::now() + RETRY_AFTER);
                Err(silent())
            }
        }
    }

    fn note(&mut self, error: &Error) -> StorageError {
        if is_end(error) || self.live.as_ref().is_some_and(|live| live.client.is_closed()) {
            self.disconnect();
        } else if error.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED)
            && let Some(live) = &mut self.live
        {
            // A migration of Django's has changed a table under a prepared statement.
            live.statements.clear();
        }
        failed(error)
    }
}

async fn open(address: &Address) -> Result<Live, Error> {
    let (client, connection) = address.connect().await?;
    let driver = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = text(&error), "a connection to PostgreSQL has ended");
        }
    });
    client.batch_execute(&address.preamble()).await?;
    Ok(Live { client, driver, statements: HashMap::new() })
}

/// A statement for parameters of these types. The types are declared, so that the server compares an `integer` column with
/// our 64 bits instead of refusing them; where a value is NULL, it finds out by itself.
async fn prepared(
    client: &Client,
    statements: &mut HashMap<String, Statement>,
    sql: &str,
    params: &[Value],
) -> Result<Statement, Error> {
    let types: Vec<Type> = params.iter().map(parameter_type).collect();
    let key = types.iter().map(Type::name).fold(sql.to_owned(), |key, name| key + "\0" + name);
    if let Some(statement) = statements.get(&key) {
        return Ok(statement.clone());
    }
    let statement = client.prepare_typed(sql, &types).await?;
    if statements.len() >= STATEMENTS_MAX {
        statements.clear();
    }
    statements.insert(key, statement.clone());
    Ok(statement)
}

fn borrowed(params: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    params.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

fn returning_id(sql: &str) -> String {
    format!("{sql} RETURNING id")
}

fn is_select(sql: &str) -> bool {
    sql.trim_start().get(..6).is_some_and(|word| word.eq_ignore_ascii_case("select"))
}
