//! SQL with `$n` on a SQLite connection.

use rusqlite::{CachedStatement, Connection, Statement, ToSql, params_from_iter, types};

use crate::storage::{Row, StorageError, Value, datetime};

/// Statements that a transaction keeps ready; the connection keeps more, but looks for them longer.
const STATEMENTS_MAX: usize = 16;

/// The statements of one transaction.
pub(in crate::storage) struct Statements<'c> {
    connection: &'c Connection,
    /// What was run before, ready to run again.
    prepared: Vec<(Box<str>, CachedStatement<'c>)>,
}

impl<'c> Statements<'c> {
    pub(in crate::storage) fn new(connection: &'c Connection) -> Self {
        Self { connection, prepared: Vec::new() }
    }

    pub(in crate::storage) fn changes(&self) -> u64 {
        self.connection.total_changes()
    }

    /// Whether the transaction is still there: the engine itself may have ended it.
    pub(in crate::storage) fn in_transaction(&self) -> bool {
        !self.connection.is_autocommit()
    }

    pub(in crate::storage) fn execute(&mut self, sql: &str, params: &[Value]) -> Result<usize, StorageError> {
        self.run(sql, |statement| statement.execute(params_from_iter(params)))
    }

    pub(in crate::storage) fn insert(&mut self, sql: &str, params: &[Value]) -> Result<i64, StorageError> {
        // SQLite knows the key; `RETURNING` would make it build a table for the answer, which takes longer than the row.
        self.run(sql, |statement| statement.insert(params_from_iter(params)))
    }

    pub(in crate::storage) fn insert_each<T: Copy + Into<Value>>(
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

    pub(in crate::storage) fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>, StorageError> {
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
        Ok(self.prepared(sql).and_then(|statement| work(statement))?)
    }

    fn prepared(&mut self, sql: &str) -> rusqlite::Result<&mut CachedStatement<'c>> {
        let found = self.prepared.iter().position(|(text, _)| **text == *sql);
        let index = if let Some(index) = found {
            index
        } else {
            self.prepared.truncate(STATEMENTS_MAX - 1);
            self.prepared.push((sql.into(), self.connection.prepare_cached(&sqlite_text(sql))?));
            self.prepared.len() - 1
        };
        Ok(&mut self.prepared[index].1)
    }
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
            Self::DateTime(value) => ToSqlOutput::Owned(types::Value::Text(datetime::to_sqlite(*value))),
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
