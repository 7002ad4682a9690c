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
        self.0.iter().any(|other| other.name == column)
    }

    /// Name and kind of its primary key, where users are in it.
    ///
    /// # Errors
    /// When nobody could be called by such a key. `name` is the table's.
    pub(super) fn key(&self, name: &str) -> Result<(&str, UserKey), StorageError> {
        let refuse = |why: String| StorageError::Setup(format!("AUTH_USER_TABLE: {name} {why}"));
        let key = self.0.iter().find(|column| column.is_key).ok_or_else(|| refuse("has no primary key".into()))?;
        let kind = UserKey::of_column(&key.declared).ok_or_else(|| {
            let Column { name, declared, .. } = key;
            refuse(format!("has the key {name} of the type {declared}: only whole numbers and UUIDs are supported"))
        })?;
        Ok((&key.name, kind))
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
