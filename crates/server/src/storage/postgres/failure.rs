//! What the server's errors mean, and what to do about them.

use std::{error::Error as _, io};

use tokio_postgres::{Error, error::SqlState};

use super::address::text;
use crate::storage::StorageError;

/// Whether the connection is over, though its end may not have been seen yet.
pub(super) fn is_end(error: &Error) -> bool {
    // The last: it may only read, so another server may have taken its place.
    const ENDS: [&str; 4] = ["57P", "08", "25P03", "25006"];
    error.code().is_none_or(|code| ENDS.iter().any(|end| code.code().starts_with(end)))
}

pub(super) fn silent() -> StorageError {
    StorageError::Database("PostgreSQL does not answer".into())
}

pub(super) fn failed(error: &Error) -> StorageError {
    match error.code() {
        Some(code) if code.code().starts_with("23") => StorageError::Constraint(text(error)),
        // No schema is what a role sees of those that it may not use.
        Some(&SqlState::INSUFFICIENT_PRIVILEGE | &SqlState::INVALID_SCHEMA_NAME) => StorageError::Denied(text(error)),
        _ => StorageError::Database(text(error)),
    }
}

/// Why there is no connection, with what to do where that can be told.
pub(super) fn not_connected(error: &Error) -> StorageError {
    let advice = match error.code() {
        Some(&SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => {
            "check the user and the password, and the server's pg_hba.conf"
        }
        Some(&SqlState::INVALID_CATALOG_NAME) => "create the database first (createdb), or correct its name",
        Some(&SqlState::TOO_MANY_CONNECTIONS) => "raise the server's max_connections, or lower DATABASE_READERS",
        Some(_) => return failed(error),
        None if is_refused(error) => "start PostgreSQL, or correct its host and port",
        None => "check the address and that the network lets it through",
    };
    StorageError::Database(format!("{}; {advice}", text(error)))
}

fn is_refused(error: &Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| cause.kind() == io::ErrorKind::ConnectionRefused)
}
