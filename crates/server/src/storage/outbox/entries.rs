//! The rows of the outbox.

use serde_json::value::RawValue;

use super::{
    super::{Row, StorageError, Tx},
    Event, Topic,
};

/// Rows that are forgotten in one transaction: nothing else is written meanwhile.
const FORGOTTEN_AT_ONCE: usize = 1_000;

/// What a transaction has to tell the other nodes: the elements of a JSON array, each `["topic",event]`.
#[derive(Default)]
pub(in crate::storage) struct Outgoing(Vec<String>);

impl Outgoing {
    /// Events can be written as JSON by construction; should one not, it is missed only by other nodes' open sockets.
    pub(in crate::storage) fn add<E: Event>(&mut self, topic: &Topic<E>, event: &E) {
        match serde_json::to_string(&(topic.name, event)) {
            Ok(json) => self.0.push(json),
            Err(error) => tracing::error!(topic = topic.name, %error, "an event cannot be written as JSON"),
        }
    }

    pub(in crate::storage) fn len(&self) -> usize {
        self.0.len()
    }

    pub(in crate::storage) fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
    }
}

/// What one transaction of another node has to tell.
pub(super) struct Entry {
    pub(super) id: i64,
    events: String,
}

impl Entry {
    /// Its events in their order.
    pub(super) fn for_each(&self, hear: impl Fn(&str, &RawValue)) {
        match serde_json::from_str::<Vec<(&str, &RawValue)>>(&self.events) {
            Ok(events) => events.into_iter().for_each(|(name, event)| hear(name, event)),
            Err(error) => tracing::error!(id = self.id, %error, "a row of the outbox cannot be read"),
        }
    }
}

/// Writes what the transaction has to tell; gives the row's id, where there was anything to write.
pub(super) fn record(tx: &mut Tx<'_>) -> Result<Option<i64>, StorageError> {
    let Some(Outgoing(events)) = tx.outgoing.take().filter(|outgoing| outgoing.len() > 0) else { return Ok(None) };
    let events = format!("[{}]", events.join(","));
    let row = tx.query_one("INSERT INTO holodrive_outbox (events) VALUES ($1) RETURNING id", &[events.into()])?;
    row.map(Row::first).transpose()
}

/// The rows after a position, in commit order.
pub(super) fn after(tx: &mut Tx<'_>, position: i64) -> Result<Vec<Entry>, StorageError> {
    let rows = tx.query("SELECT id, events FROM holodrive_outbox WHERE id > $1 ORDER BY id", &[position.into()])?;
    let rows = rows.into_iter().map(Row::columns);
    rows.map(|mut row| Ok(Entry { id: row.take()?, events: row.take()? })).collect()
}

/// Whether there are rows after a position.
pub(super) fn any_after(tx: &mut Tx<'_>, position: i64) -> Result<bool, StorageError> {
    let sql = "SELECT 1 FROM holodrive_outbox WHERE id > $1 LIMIT 1";
    Ok(tx.query_one(sql, &[position.into()])?.is_some())
}

/// The id of the last row there is or, where all are forgotten, of the furthest that a node has published.
pub(super) fn last(tx: &mut Tx<'_>) -> Result<i64, StorageError> {
    let sql = "SELECT MAX(last) FROM (SELECT MAX(id) AS last FROM holodrive_outbox \
        UNION ALL SELECT MAX(position) FROM holodrive_node) AS positions";
    let row = tx.query_one(sql, &[])?;
    Ok(row.map(Row::first::<Option<i64>>).transpose()?.flatten().unwrap_or(0))
}

/// Forgets rows that every node has published. True when there may be more of them.
pub(in crate::storage) fn forget_published(tx: &mut Tx<'_>) -> Result<bool, StorageError> {
    let sql = "DELETE FROM holodrive_outbox WHERE id IN (SELECT id FROM holodrive_outbox \
        WHERE id <= (SELECT MIN(position) FROM holodrive_node) ORDER BY id LIMIT $1)";
    Ok(tx.execute(sql, &[FORGOTTEN_AT_ONCE.into()])? == FORGOTTEN_AT_ONCE)
}
