use std::sync::Arc;

use holodrive_protocol::Timestamp;

use super::{
    Dialect, Row, StorageError, Value,
    outbox::{Event, Outgoing, Topic},
    postgres, sqlite,
};

/// Parameters of one `IN`; engines allow more, but longer lists gain nothing.
const IN_MAX: usize = 512;

/// What runs after the commit, in commit order.
pub(super) type AfterCommit = Box<dyn FnOnce() + Send>;

/// Whose statements they are.
pub(super) enum Engine<'t> {
    Sqlite(sqlite::Statements<'t>),
    Postgres(&'t mut postgres::Session),
}

/// Does the same with the statements of either engine.
macro_rules! on_engine {
    ($engine:expr, $statements:ident => $work:expr) => {
        match $engine {
            Engine::Sqlite($statements) => $work,
            Engine::Postgres($statements) => $work,
        }
    };
}

/// One transaction.
pub struct Tx<'t> {
    engine: Engine<'t>,
    now: Timestamp,
    after_commit: Vec<AfterCommit>,
    /// Whether a statement has failed, so that it is not known how much of it was done.
    failed: bool,
    /// For other nodes; `None` where there are none.
    pub(super) outgoing: Option<Outgoing>,
}

impl<'t> Tx<'t> {
    pub(super) fn new(engine: Engine<'t>, now: Timestamp) -> Self {
        Self { engine, now, after_commit: Vec::new(), failed: false, outgoing: None }
    }

    /// The time of this transaction by the database's clock: the same for every statement in it.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The language of the database, where a statement cannot be one text for both.
    pub fn dialect(&self) -> Dialect {
        match self.engine {
            Engine::Sqlite(_) => Dialect::Sqlite,
            Engine::Postgres(_) => Dialect::Postgres,
        }
    }

    /// Remembers that a statement has failed.
    fn noting<T>(&mut self, done: Result<T, StorageError>) -> Result<T, StorageError> {
        self.failed |= done.is_err();
        done
    }

    /// Runs a statement and tells how many rows it changed.
    ///
    /// # Errors
    /// When the database refuses or fails.
    pub fn execute(&mut self, sql: &str, params: &[Value]) -> Result<usize, StorageError> {
        #[cfg(test)]
        let sql = &*super::rewrites::rewritten(sql);
        let done = on_engine!(&mut self.engine, statements => statements.execute(sql, params));
        self.noting(done)
    }

    /// Runs an `INSERT` of one row, and gives the row's `id`: it is for tables with a growing key.
    ///
    /// # Errors
    /// When the database refuses or fails.
    pub fn insert(&mut self, sql: &str, params: &[Value]) -> Result<i64, StorageError> {
        #[cfg(test)]
        let sql = &*super::rewrites::rewritten(sql);
        let done = on_engine!(&mut self.engine, statements => statements.insert(sql, params));
        self.noting(done)
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
        let done = on_engine!(&mut self.engine, statements => statements.insert_each(sql, each, shared));
        self.noting(done)
    }

    /// Runs a query, or a statement with `RETURNING`, and gives all its rows.
    ///
    /// # Errors
    /// When the database refuses or fails.
    pub fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>, StorageError> {
        #[cfg(test)]
        let sql = &*super::rewrites::rewritten(sql);
        let done = on_engine!(&mut self.engine, statements => statements.query(sql, params));
        self.noting(done)
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
            rows.extend(self.query(&sql(&placeholders(length)), &params)?);
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

    /// Whether no other node is on the database.
    pub fn is_alone(&self) -> bool {
        self.outgoing.is_none()
    }

    fn changes(&self) -> u64 {
        on_engine!(&self.engine, statements => statements.changes())
    }

    /// Runs a statement that has nothing to tell, together with the next one where the way to the database is long.
    fn control(&mut self, sql: &'static str) -> Result<(), StorageError> {
        match &mut self.engine {
            Engine::Sqlite(statements) => statements.execute(sql, &[]).map(drop),
            Engine::Postgres(session) => {
                session.defer(sql);
                Ok(())
            }
        }
    }

    /// Tells the other nodes that there is something to follow, where the database can.
    pub(super) fn wake_others(&mut self) {
        if let Engine::Postgres(session) = &mut self.engine {
            session.defer(postgres::NOTIFY);
        }
    }

    /// Whether a statement has failed that nothing has undone.
    pub(super) fn has_failed(&self) -> bool {
        self.failed
    }

    /// How far the transaction has come.
    pub(super) fn mark(&self) -> Mark {
        Mark {
            changes: self.changes(),
            actions: self.after_commit.len(),
            outgoing: self.outgoing.as_ref().map_or(0, Outgoing::len),
        }
    }

    /// Makes sure that nothing has changed since; what was to be told is forgotten.
    pub(super) fn require_unchanged(&mut self, since: Mark) -> Result<(), StorageError> {
        // Where the engine itself has ended the transaction, what follows would not be in one.
        let in_transaction = on_engine!(&self.engine, statements => statements.in_transaction());
        if self.failed || !in_transaction || self.changes() != since.changes {
            return Err(StorageError::Database("a write failed halfway: its transaction is undone".into()));
        }
        self.forget(&since);
        Ok(())
    }

    /// Begins what [`Tx::keep`] or [`Tx::undo`] ends.
    pub(super) fn savepoint(&mut self) -> Result<Mark, StorageError> {
        self.control("SAVEPOINT job")?;
        Ok(self.mark())
    }

    /// Keeps what came after the savepoint.
    pub(super) fn keep(&mut self) -> Result<(), StorageError> {
        self.control("RELEASE job")
    }

    /// Undoes what came after the savepoint, and tells nothing of it.
    pub(super) fn undo(&mut self, to: Mark) -> Result<(), StorageError> {
        self.forget(&to);
        self.control("ROLLBACK TO job")?;
        self.failed = false;
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

/// `$1,$2,…` for a list of `count` parameters.
pub(crate) fn placeholders(count: usize) -> String {
    (1..=count).map(|n| format!("${n}")).collect::<Vec<_>>().join(",")
}
