//! Versioned schema changes, applied in order, each once. The SQL is one text for both engines, with a few tokens that
//! [`Dialect::expand`] replaces.

use std::time::Duration;

use holodrive_protocol::Timestamp;

use super::{
    Dialect, Row, StorageError, StorageOptions, Tx, UserKey,
    clock::DatabaseClock,
    connection::{Access, Connection, Transaction},
    table::UserTable,
};

/// A large table may take long to change.
const LIMIT: Duration = Duration::from_hours(1);

const DJANGO: &str = include_str!("../../migrations/django.sql");
/// The one of Django's user tables that we can make ourselves.
const DJANGO_USERS: &str = "auth_user";
const LEDGER: &str = "holodrive_migration";
/// Number, name and text.
type Migration = (i64, &'static str, &'static str);
const MIGRATIONS: &[Migration] = &[
    (1, "initial", include_str!("../../migrations/0001_initial.sql")),
    (2, "notification_delivery", include_str!("../../migrations/0002_notification_delivery.sql")),
    (3, "outbox", include_str!("../../migrations/0003_outbox.sql")),
    (4, "notification_index", include_str!("../../migrations/0004_notification_index.sql")),
    (5, "commit", include_str!("../../migrations/0005_commit.sql")),
    (6, "offer_slots", include_str!("../../migrations/0006_offer_slots.sql")),
    (7, "push", include_str!("../../migrations/0007_push.sql")),
    (8, "trips", include_str!("../../migrations/0008_trips.sql")),
    (9, "offers", include_str!("../../migrations/0009_offers.sql")),
    (10, "unused_indexes", include_str!("../../migrations/0010_unused_indexes.sql")),
];

/// Brings the schema up to date; gives the table of the users.
pub(super) fn run(options: &StorageOptions, clock: &DatabaseClock) -> Result<UserTable, StorageError> {
    apply(options, clock).map_err(|error| match error {
        StorageError::Denied(why) => StorageError::Setup(format!(
            "the database cannot be migrated: {why}; GRANT that to its role, or let another role run `holodrive migrate`"
        )),
        other => other,
    })
}

fn apply(options: &StorageOptions, clock: &DatabaseClock) -> Result<UserTable, StorageError> {
    let mut connection = Connection::open(&StorageOptions { timeout: LIMIT, ..options.clone() })?;
    let asked = clock.ask();
    let mut transaction = connection.begin(Access::Write)?;
    let now = clock.begin(asked, transaction.told());
    if let (Dialect::Postgres, Some(schema)) = (transaction.dialect(), &options.schema) {
        make_schema(&mut transaction, schema)?;
    }
    if transaction.tx(now).table(LEDGER)?.is_none() {
        transaction.batch(&format!(
            "CREATE TABLE {LEDGER} (id BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)"
        ))?;
    }
    let users = users(&mut transaction, &options.user_table, now)?;
    let pending = pending_of(&mut transaction.tx(now))?;
    for (id, name, sql) in pending {
        let sql = transaction.dialect().expand(sql, users.key_kind);
        transaction.batch(&sql)?;
        let sql = format!("INSERT INTO {LEDGER} (id, name, applied_at) VALUES ($1, $2, $3)");
        transaction.tx(now).execute(&sql, &[(*id).into(), (*name).into(), now.into()])?;
        tracing::info!(id, name, "applied a migration");
    }
    transaction.commit()?;
    Ok(users)
}

/// The names of the migrations that [`run`] would apply.
pub(super) fn pending(tx: &mut Tx<'_>) -> Result<Vec<&'static str>, StorageError> {
    if tx.table(LEDGER)?.is_none() {
        return Ok(MIGRATIONS.iter().map(|(_, name, _)| *name).collect());
    }
    Ok(pending_of(tx)?.into_iter().map(|(_, name, _)| *name).collect())
}

fn pending_of(tx: &mut Tx<'_>) -> Result<Vec<&'static Migration>, StorageError> {
    let rows = tx.query(&format!("SELECT id FROM {LEDGER}"), &[])?;
    let applied = rows.into_iter().map(Row::first::<i64>).collect::<Result<Vec<_>, _>>()?;
    Ok(MIGRATIONS.iter().filter(|(id, ..)| !applied.contains(id)).collect())
}

/// The schema is looked for first: a role may be allowed to use it, and not to make any.
fn make_schema(transaction: &mut Transaction<'_>, schema: &str) -> Result<(), StorageError> {
    let find = "SELECT 1 FROM pg_namespace WHERE nspname = $1";
    if transaction.tx(Timestamp::from_micros(0)).query_one(find, &[schema.into()])?.is_none() {
        transaction.batch(&format!("CREATE SCHEMA \"{schema}\""))?;
    }
    Ok(())
}

/// Beside Django its tables are there and stay as they are; alone, we make them.
fn users(transaction: &mut Transaction<'_>, name: &str, now: Timestamp) -> Result<UserTable, StorageError> {
    if name == DJANGO_USERS && transaction.tx(now).table(name)?.is_none() {
        let sql = transaction.dialect().expand(DJANGO, UserKey::Int);
        transaction.batch(&sql)?;
    }
    let columns = transaction.tx(now).table(name)?.ok_or_else(|| {
        StorageError::Setup(format!(
            "AUTH_USER_TABLE: the database has no table {name}; run Django's migrations first or correct the name"
        ))
    })?;
    UserTable::new(name, columns)
}
