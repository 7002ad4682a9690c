//! A look at the embedded database that changes nothing, for `holodrive check`.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::{StorageError, database, migrations};

/// A database file that is looked at and left as it is.
pub struct Inspection(Connection);

impl Inspection {
    /// Opens the file, which must be there.
    pub fn open(path: &Path) -> Result<Self, StorageError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        database::configure(&connection)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(Self(connection))
    }

    /// SQLite's journal mode, `wal` once a server has used the file.
    pub fn journal_mode(&self) -> Result<String, StorageError> {
        Ok(self.0.pragma_query_value(None, "journal_mode", |row| row.get(0))?)
    }

    /// Whether a connection to this file can be made to wait for the disk at each commit.
    pub fn syncs_fully(&self) -> Result<bool, StorageError> {
        self.0.pragma_update(None, "synchronous", "FULL")?;
        let level: i64 = self.0.pragma_query_value(None, "synchronous", |row| row.get(0))?;
        Ok(level == database::SYNCHRONOUS_FULL)
    }

    /// The names of the migrations that are still to be applied.
    pub fn pending_migrations(&self) -> Result<Vec<&'static str>, StorageError> {
        migrations::pending(&self.0)
    }

    /// The columns of a table; none when there is no such table.
    pub fn columns(&self, table: &str) -> Result<Vec<String>, StorageError> {
        let mut statement = self.0.prepare("SELECT name FROM pragma_table_info(?1)")?;
        let names = statement.query_map([table], |row| row.get(0))?;
        Ok(names.collect::<Result<_, _>>()?)
    }

    /// Whether a row has this text in a column. The names must be plain SQL identifiers.
    pub fn has_row(&self, table: &str, column: &str, text: &str) -> Result<bool, StorageError> {
        let sql = format!("SELECT 1 FROM {table} WHERE {column} = ?1");
        Ok(self.0.query_row(&sql, [text], |_| Ok(())).optional()?.is_some())
    }
}
