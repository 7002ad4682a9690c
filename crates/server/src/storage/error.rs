use thiserror::Error;

/// Why the database could not do what it was asked.
#[derive(Debug, Error, Clone)]
pub enum StorageError {
    /// The database refused or failed: a full disk, an I/O error, a lock that was not given up.
    #[error("the database failed: {0}")]
    Database(String),
    /// A unique index or another constraint refused the row.
    #[error("the database refused a row: {0}")]
    Constraint(String),
    /// The role that we are in PostgreSQL lacks a privilege.
    #[error("the database does not let its role do that: {0}")]
    Denied(String),
    /// A column did not hold what the query expects.
    #[error("column {index} holds an unexpected value")]
    Column {
        /// Position in the row, from 0.
        index: usize,
    },
    /// The writer has stopped, or the job panicked.
    #[error("the database is not available")]
    Unavailable,
    /// The file cannot be used as it is; the text says what to do.
    #[error("{0}")]
    Setup(String),
}

impl From<rusqlite::Error> for StorageError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::ConstraintViolation) => Self::Constraint(error.to_string()),
            _ => Self::Database(error.to_string()),
        }
    }
}
