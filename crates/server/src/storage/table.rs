//! What a table of the database looks like.

use super::{Row, StorageError, Tx, UserKey};

/// The columns of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table(Vec<Column>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Column {
    name: String,
    declared: String,
    is_key: bool,
}

impl Table {
    /// Whether it has a column of that name.
    pub fn has(&self, column: &str) -> bool {
        self.column(column).is_some()
    }

    /// What a user can be called by in a column; `None` where that is a text, or there is no such column.
    pub fn key_kind(&self, column: &str) -> Option<UserKey> {
        self.column(column).and_then(Column::key_kind)
    }

    /// The type that a column was declared with, in the engine's own words.
    pub fn declared(&self, column: &str) -> Option<&str> {
        self.column(column).map(|column| column.declared.as_str())
    }

    fn column(&self, name: &str) -> Option<&Column> {
        self.0.iter().find(|column| column.name == name)
    }
}

impl Column {
    fn key_kind(&self) -> Option<UserKey> {
        UserKey::of_column(&self.declared)
    }
}

/// The table of the users, as it was at the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserTable {
    /// Its columns.
    pub columns: Table,
    /// The column with the primary key.
    pub key: String,
    /// What users are called by.
    pub key_kind: UserKey,
}

impl UserTable {
    /// # Errors
    /// When nobody could be called by the primary key. `name` is the table's.
    pub(super) fn new(name: &str, columns: Table) -> Result<Self, StorageError> {
        let refuse = |why: &str| StorageError::Setup(format!("AUTH_USER_TABLE: {name} {why}"));
        let Some(Column { name: key, declared, .. }) = columns.0.iter().find(|column| column.is_key) else {
            return Err(refuse("has no primary key"));
        };
        let key_kind = UserKey::of_column(declared).ok_or_else(|| {
            refuse(&format!("has the key {key} of the type {declared}: only whole numbers and UUIDs are supported"))
        })?;
        Ok(Self { key: key.clone(), key_kind, columns })
    }
}

impl Tx<'_> {
    /// The table of that name, where there is one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn table(&mut self, name: &str) -> Result<Option<Table>, StorageError> {
        let rows = self.query(self.dialect().columns(), &[name.into()])?;
        let columns = rows.into_iter().map(column).collect::<Result<Vec<_>, _>>()?;
        Ok((!columns.is_empty()).then_some(Table(columns)))
    }
}

fn column(row: Row) -> Result<Column, StorageError> {
    let mut row = row.columns();
    Ok(Column { name: row.take()?, declared: row.take()?, is_key: row.take()? })
}
