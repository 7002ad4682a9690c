//! Versioned schema changes, applied in order, each once.
//!
//! The SQL is one text for both engines with two tokens, `{{id}}` (a growing key) and `{{user}}` (the type of the user
//! table's key), and `{{user_table}}`, which names it.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::{StorageError, StorageOptions, UserKey};
use crate::clock::Clock;

const DJANGO: &str = include_str!("../../migrations/django.sql");
const MIGRATIONS: &[(i64, &str, &str)] = &[
    (1, "initial", include_str!("../../migrations/0001_initial.sql")),
    (2, "notification_delivery", include_str!("../../migrations/0002_notification_delivery.sql")),
    (3, "outbox", include_str!("../../migrations/0003_outbox.sql")),
    (4, "notification_index", include_str!("../../migrations/0004_notification_index.sql")),
];

pub(super) fn run(
    connection: &mut Connection,
    options: &StorageOptions,
    clock: &dyn Clock,
) -> Result<(), StorageError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(
        "CREATE TABLE IF NOT EXISTS holodrive_migration (id BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)",
    )?;
    // Alone, we make Django's tables; beside Django they are there and stay as they are.
    transaction.execute_batch(DJANGO)?;
    let user_key = user_key(&transaction, &options.user_table)?;
    for (id, name, sql) in MIGRATIONS {
        if !is_applied(&transaction, *id)? {
            transaction.execute_batch(&expand(sql, &options.user_table, user_key))?;
            let now = clock.now().as_micros();
            transaction.execute("INSERT INTO holodrive_migration VALUES (?1, ?2, ?3)", (id, name, now))?;
            tracing::info!(id, name, "applied a migration");
        }
    }
    Ok(transaction.commit()?)
}

/// The names of the migrations that [`run`] would apply.
pub(super) fn pending(connection: &Connection) -> Result<Vec<&'static str>, StorageError> {
    let fresh = !connection.table_exists(None, "holodrive_migration")?;
    let mut names = Vec::new();
    for (id, name, _) in MIGRATIONS {
        if fresh || !is_applied(connection, *id)? {
            names.push(*name);
        }
    }
    Ok(names)
}

fn is_applied(connection: &Connection, id: i64) -> Result<bool, StorageError> {
    let row = connection.query_row("SELECT 1 FROM holodrive_migration WHERE id = ?1", [id], |_| Ok(()));
    Ok(row.optional()?.is_some())
}

fn expand(sql: &str, user_table: &str, user_key: UserKey) -> String {
    sql.replace("{{id}}", "INTEGER PRIMARY KEY AUTOINCREMENT")
        .replace("{{user}}", user_key.sqlite_type())
        .replace("{{user_table}}", user_table)
}

fn user_key(connection: &Connection, table: &str) -> Result<UserKey, StorageError> {
    let declared: Option<String> = connection
        .query_row("SELECT type FROM pragma_table_info(?1) WHERE pk = 1", [table], |row| row.get(0))
        .optional()?;
    match declared {
        Some(declared) if declared.to_ascii_lowercase().starts_with("char") => Ok(UserKey::Uuid),
        Some(_) => Ok(UserKey::Int),
        None => Err(StorageError::Setup(format!(
            "AUTH_USER_TABLE: the database has no table {table}; run Django's migrations first or correct the name"
        ))),
    }
}
