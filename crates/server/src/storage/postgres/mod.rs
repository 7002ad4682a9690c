//! A PostgreSQL server as the database: Django's own, mostly.
//!
//! Each thread of the storage has a [`Session`]: a connection that it drives by itself, statement by statement. What has
//! nothing to tell (savepoints, the commit) travels together with what comes next, so that a short way stays short.
//!
//! One transaction writes at a time, over all nodes: it begins with an advisory lock. So ids grow in the order of the commits, as
//! in SQLite, and a node that hears of a commit has heard of all before it. Group commit makes up for it.

mod address;
mod failure;
mod listener;
mod session;
mod tls;
mod transaction;
mod values;

pub(super) use address::Address;
pub(super) use listener::Listener;
pub(super) use session::Session;
pub(super) use transaction::Transaction;

/// Tells other nodes that there is something in the outbox.
pub(super) const NOTIFY: &str = "NOTIFY holodrive_outbox";
/// Makes the transaction the only one that writes. The lock goes with the schema: two services may share a database.
const LOCK: &str =
    "SELECT pg_advisory_xact_lock(hashtextextended('holodrive writer of ' || COALESCE(current_schema(), ''), 0))";
/// The transaction's number, and what the server's clock shows, in microseconds: once the lock is had.
const BEGUN: &str = "SELECT txid_current(), (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint";
/// Hears it.
const LISTEN: &str = "LISTEN holodrive_outbox";

/// Writes that share a transaction at the most: each may need a savepoint, and with more than 64 of them every reader of the
/// server looks up the transaction's parts on disk.
pub(super) const WRITE_BATCH_MAX: usize = 60;
