//! A look at the database that changes nothing, for `holodrive check`.

use holodrive_protocol::Timestamp;

use super::{
    Row, StorageError, StorageOptions, Table, Tx,
    connection::{Access, Connection},
    migrations, sqlite,
};

/// A database that is looked at and left as it is.
pub struct Inspection(Connection);

impl Inspection {
    /// Opens the database; a file must be there.
    pub fn open(options: &StorageOptions) -> Result<Self, StorageError> {
        Connection::open_for_inspection(options).map(Self)
    }

    /// SQLite's journal mode, `wal` once a server has used the file.
    pub fn journal_mode(&mut self) -> Result<String, StorageError> {
        self.setting("PRAGMA journal_mode")
    }

    /// Whether a connection to this file can be made to wait for the disk at each commit.
    pub fn syncs_fully(&mut self) -> Result<bool, StorageError> {
        let level: i64 = self.look(|tx| tx.query_one("PRAGMA synchronous", &[])?.map_or(Ok(0), Row::first))?;
        Ok(level == sqlite::SYNCHRONOUS_FULL)
    }

    /// What PostgreSQL says of itself and of how it is run: a setting by its name.
    pub fn server_setting(&mut self, name: &str) -> Result<String, StorageError> {
        self.setting(&format!("SHOW {name}"))
    }

    fn setting(&mut self, sql: &str) -> Result<String, StorageError> {
        self.look(|tx| tx.query_one(sql, &[])?.map_or_else(|| Ok(String::new()), Row::first))
    }

    /// Whether somebody may make our tables in PostgreSQL, with this role.
    pub fn may_create(&mut self) -> Result<bool, StorageError> {
        let sql = "SELECT COALESCE(has_schema_privilege(current_schema(), 'CREATE'), FALSE) \
            OR has_database_privilege(current_database(), 'CREATE')";
        self.look(|tx| tx.query_one(sql, &[])?.map_or(Ok(false), Row::first))
    }

    /// Whether this role may insert and delete rows in a table of PostgreSQL.
    pub fn may_write(&mut self, table: &str) -> Result<bool, StorageError> {
        let sql = "SELECT COALESCE(has_table_privilege(name, 'INSERT') AND has_table_privilege(name, 'DELETE'), FALSE) \
            FROM (SELECT to_regclass(quote_ident($1)) AS name) AS wanted";
        self.look(|tx| tx.query_one(sql, &[table.into()])?.map_or(Ok(false), Row::first))
    }

    /// The names of the migrations that are still to be applied.
    pub fn pending_migrations(&mut self) -> Result<Vec<&'static str>, StorageError> {
        self.look(migrations::pending)
    }

    /// The columns of a table, where there is one.
    pub fn table(&mut self, name: &str) -> Result<Option<Table>, StorageError> {
        self.look(|tx| tx.table(name))
    }

    /// Whether a row has this text in a column. The names must be plain SQL identifiers.
    pub fn has_row(&mut self, table: &str, column: &str, text: &str) -> Result<bool, StorageError> {
        let sql = format!("SELECT 1 FROM {table} WHERE {column} = $1");
        self.look(|tx| Ok(tx.query_one(&sql, &[text.into()])?.is_some()))
    }

    fn look<T>(&mut self, look: impl FnOnce(&mut Tx<'_>) -> Result<T, StorageError>) -> Result<T, StorageError> {
        look(&mut self.0.begin(Access::Read)?.tx(Timestamp::from_micros(0)))
    }
}
