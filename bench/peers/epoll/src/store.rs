//! Messages and notifications in `SQLite`: all that one round of the loop brought are one transaction.

use std::fmt::Write;

use rusqlite::{Connection, Transaction, params};

use crate::messages::Said;

const PRAGMAS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;";
/// The tables of all peers that store in `SQLite`.
const SCHEMA: &str = include_str!("../../javascript/schema.sql");
const INSERT_MESSAGE: &str =
    "INSERT INTO message (conversation_id, sender_id, sender_name, message, created_at) VALUES (?, ?, ?, ?, ?)";
const NOTIFY: &str = "INSERT INTO notification (user_id, title, message, notification_type, related_object_type, \
    related_object_id, data, created_at) SELECT user_id, ?3, ?4, 'chat_message', 'conversation', ?1, ?5, ?6 \
    FROM participant WHERE conversation_id = ?1 AND user_id <> ?2";

/// An open database.
pub(crate) struct Store(Connection);

impl Store {
    /// A new one with the benchmark's conversations: the users in their order, `members` in each.
    pub(crate) fn create(file: &str, conversations: i64, members: i64) -> rusqlite::Result<Self> {
        let mut connection = Connection::open(file)?;
        connection.execute_batch(PRAGMAS)?;
        connection.execute_batch(SCHEMA)?;
        let tx = connection.transaction()?;
        for user in 0..conversations * members {
            tx.execute("INSERT INTO participant VALUES (?, ?)", [user / members + 1, user + 1])?;
        }
        tx.commit()?;
        Ok(Self(connection))
    }

    pub(crate) fn is_member(&self, conversation: i64, user: i64) -> rusqlite::Result<bool> {
        let find = "SELECT 1 FROM participant WHERE conversation_id = ? AND user_id = ?";
        self.0.prepare_cached(find)?.exists([conversation, user])
    }

    /// Stores all of them; tells their keys once they are on the disk.
    pub(crate) fn add(&mut self, all: &[Said]) -> rusqlite::Result<Vec<i64>> {
        let tx = self.0.transaction()?;
        let ids = all.iter().map(|said| insert(&tx, said)).collect::<Result<_, _>>()?;
        tx.commit()?;
        Ok(ids)
    }
}

fn insert(tx: &Transaction<'_>, said: &Said) -> rusqlite::Result<i64> {
    let Said { conversation, sender, sender_name, text, created_at } = said;
    let message = params![conversation, sender, sender_name, text, created_at];
    let id = tx.prepare_cached(INSERT_MESSAGE)?.insert(message)?;
    let (title, mut body) = (format!("New message from {sender_name}"), "New message in conversation: ".to_owned());
    body.extend(text.chars().take(50));
    // Writing to a string does not fail.
    let _ = write!(body, "...");
    let data = format!(r#"{{"conversation_id":{conversation},"message_id":{id}}}"#);
    tx.prepare_cached(NOTIFY)?.execute(params![conversation, sender, title, body, data, created_at])?;
    Ok(id)
}
