use std::sync::Arc;

use holodrive_protocol::Timestamp;
use rusqlite::{CachedStatement, Connection, Statement, ToSql, params_from_iter, types};

use super::{
    Row, StorageError, Value,
    outbox::{Event, Outgoing, Topic},
};

/// Parameters of one `IN`; engines allow more, but longer lists gain nothing.
const IN_MAX: usize = 512;

/// Statements that a transaction keeps ready; the connection keeps more, but looks for them longer.
const STATEMENTS_MAX: usize = 16;

/// What runs after the commit, in commit order.
pub(super) type AfterCommit = Box<dyn FnOnce() + Send>;

/// One transaction.
pub struct Tx<'c> {
    connection: &'c Connection,
    /// What was run before, ready to run again.
    statements: Vec<(Box<str>, CachedStatement<'c>)>,
    now: Timestamp,
    after_commit: Vec<AfterCommit>,
    /// Whether a statement has failed, so that it is not known how much of it was done.
    failed: bool,
    /// For other nodes; `None` where there are none.
    pub(super) outgoing: Option<Outgoing>,
}

impl<'c> Tx<'c> {
    pub(super) fn new(connection: &'c Connection, now: Timestamp) -> Self {
        Self { connection, statements: Vec::new(), now, after_commit: Vec::new(), failed: false, outgoing: None }
    }

    /// The time of this transaction by the database's clock: the same for every statement in it.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Runs a statement and tells how many rows it changed.
    ///
    /// # Errors
    /// When the database refuses or fails.
    pub fn execute(&mut self, sql: &str, params: &[Value]) -> Result<usize, StorageError> {
        self.run(sql, |statement| statement.execute(params_from_iter(params)))
    }

    /// Runs an `INSERT` of one row, and gives the row's `id`: it is for tables with a growing key.
    ///
    /// # Errors
    /// When the database refuses or fails.
    pub fn insert(&mut self, sql: &str, params: &[Value]) -> Result<i64, StorageError> {
        // SQLite knows the key; `RETURNING` would make it build a table for the answer, which takes longer than the row.
        self.run(sql, |statement| statement.insert(params_from_iter(params)))
    }

    /// [`Tx::insert`] of a row for each of these, which are `$1`; `shared` are the parameters from `$2` on.
    ///
    /// # Errors
    /// When the database refuses or fails.
    pub fn insert_each<T: Copy + Into<Value>>(
        &mut self,
        sql: &str,
        each: &[T],
        shared: &[Value],
    ) -> Result<Vec<i64>, StorageError> {
        let connection = self.connection;
        self.run(sql, |statement| {
            for (number, value) in (2_usize..).zip(shared) {
                statement.raw_bind_parameter(number, value)?;
            }
            let insert = |one: &T| {
                let value: Value = (*one).into();
                statement.raw_bind_parameter(1_usize, value)?;
                statement.raw_execute()?;
                Ok(connection.last_insert_rowid())
            };
            each.iter().map(insert).collect()
        })
    }

    /// Runs a query, or a statement with `RETURNING`, and gives all its rows.
    ///
    /// # Errors
    /// When the database refuses or fails.
    pub fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>, StorageError> {
        self.run(sql, |statement| {
            let width = statement.column_count();
            let row = |row: &rusqlite::Row<'_>| {
                (0..width).map(|index| row.get_ref(index).map(from_sqlite)).collect::<Result<_, _>>().map(Row)
            };
            statement.query_map(params_from_iter(params), row)?.collect()
        })
    }

    /// Prepares a statement, where it is not yet, and works with it.
    fn run<T>(
        &mut self,
        sql: &str,
        work: impl FnOnce(&mut Statement<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StorageError> {
        let done = self.prepared(sql).and_then(|statement| work(statement));
        self.failed |= done.is_err();
        Ok(done?)
    }

    fn prepared(&mut self, sql: &str) -> rusqlite::Result<&mut CachedStatement<'c>> {
        let found = self.statements.iter().position(|(text, _)| **text == *sql);
        let index = if let Some(index) = found {
            index
        } else {
            self.statements.truncate(STATEMENTS_MAX - 1);
            self.statements.push((sql.into(), self.connection.prepare_cached(&sqlite_text(sql))?));
            self.statements.len() - 1
        };
        Ok(&mut self.statements[index].1)
    }

    /// Runs a query that gives at most one row.
    ///
    /// # Errors
    /// When the database refuses or fails.
    pub fn query_one(&mut self, sql: &str, params: &[Value]) -> Result<Option<Row>, StorageError> {
        Ok(self.query(sql, params)?.into_iter().next())
    }

    /// Runs a query with `… IN (…)` over a list of any length; `sql` gets the text between the brackets.
    ///
    /// Lists are filled up to a power of two by repeating their last entry, so that few different statements are prepared.
    ///
    /// # Errors
    /// When the database refuses or fails.
    pub fn query_in<T: Clone + Into<Value>>(
        &mut self,
        sql: impl Fn(&str) -> String,
        list: &[T],
    ) -> Result<Vec<Row>, StorageError> {
        let mut rows = Vec::new();
        for chunk in list.chunks(IN_MAX) {
            let length = chunk.len().next_power_of_two();
            let padding = chunk.last().into_iter().cycle();
            let params: Vec<Value> = chunk.iter().chain(padding).take(length).cloned().map(Into::into).collect();
            rows.extend(self.query(&sql(&placeholders(1, length)), &params)?);
        }
        Ok(rows)
    }

    /// Has `action` run once the transaction is on disk. It is dropped when the transaction fails.
    ///
    /// It runs on the writer's thread, so it must be quick and must not wait.
    pub fn after_commit(&mut self, action: impl FnOnce() + Send + 'static) {
        self.after_commit.push(Box::new(action));
    }

    /// Tells every node on the database of `event` once the transaction is on disk, in the order of the commits.
    pub fn publish<E: Event>(&mut self, topic: &Topic<E>, event: E) {
        if let Some(outgoing) = &mut self.outgoing {
            outgoing.add(topic, &event);
        }
        let hear = Arc::clone(topic.hear());
        self.after_commit(move || hear(event));
    }

    /// How far the transaction has come.
    pub(super) fn mark(&self) -> Mark {
        Mark {
            changes: self.connection.total_changes(),
            actions: self.after_commit.len(),
            outgoing: self.outgoing.as_ref().map_or(0, Outgoing::len),
        }
    }

    /// Makes sure that nothing has changed since; what was to be told is forgotten.
    pub(super) fn require_unchanged(&mut self, since: Mark) -> Result<(), StorageError> {
        // Where the engine itself has ended the transaction, what follows would not be in one.
        if self.failed || self.connection.is_autocommit() || self.connection.total_changes() != since.changes {
            return Err(StorageError::Database("a write failed halfway: its transaction is undone".into()));
        }
        self.forget(&since);
        Ok(())
    }

    /// Begins what [`Tx::keep`] or [`Tx::undo`] ends.
    pub(super) fn savepoint(&mut self) -> Result<Mark, StorageError> {
        self.execute("SAVEPOINT job", &[])?;
        Ok(self.mark())
    }

    /// Keeps what came after the savepoint.
    pub(super) fn keep(&mut self) -> Result<(), StorageError> {
        self.execute("RELEASE job", &[]).map(drop)
    }

    /// Undoes what came after the savepoint, and tells nothing of it.
    pub(super) fn undo(&mut self, to: Mark) -> Result<(), StorageError> {
        self.forget(&to);
        self.execute("ROLLBACK TO job", &[])?;
        self.keep()
    }

    /// Tells nothing of what came after the mark.
    fn forget(&mut self, since: &Mark) {
        self.after_commit.truncate(since.actions);
        if let Some(outgoing) = &mut self.outgoing {
            outgoing.truncate(since.outgoing);
        }
    }

    pub(super) fn into_actions(self) -> Vec<AfterCommit> {
        self.after_commit
    }
}

/// How far a transaction had come: rows changed, and what was to be told.
pub(super) struct Mark {
    changes: u64,
    actions: usize,
    outgoing: usize,
}

/// `$1,$2,…` for a list of `count` parameters, the first of them numbered `first`.
fn placeholders(first: usize, count: usize) -> String {
    (first..first + count).map(|n| format!("${n}")).collect::<Vec<_>>().join(",")
}

/// SQLite numbers `$n` by order of appearance; `?n` by the number itself, as PostgreSQL does with `$n`.
fn sqlite_text(sql: &str) -> String {
    sql.replace('$', "?")
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<types::ToSqlOutput<'_>> {
        use types::{ToSqlOutput, ValueRef};
        Ok(match self {
            Self::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Self::Int(value) => ToSqlOutput::Borrowed(ValueRef::Integer(*value)),
            Self::Real(value) => ToSqlOutput::Borrowed(ValueRef::Real(*value)),
            Self::Text(value) => ToSqlOutput::Borrowed(ValueRef::Text(value.as_bytes())),
            Self::Bool(value) => ToSqlOutput::Borrowed(ValueRef::Integer((*value).into())),
            Self::Uuid(value) => ToSqlOutput::Owned(types::Value::Text(value.simple().to_string())),
        })
    }
}

fn from_sqlite(value: types::ValueRef<'_>) -> Value {
    match value {
        types::ValueRef::Null => Value::Null,
        types::ValueRef::Integer(value) => Value::Int(value),
        types::ValueRef::Real(value) => Value::Real(value),
        types::ValueRef::Text(value) | types::ValueRef::Blob(value) => {
            Value::Text(String::from_utf8_lossy(value).into_owned())
        }
    }
}
