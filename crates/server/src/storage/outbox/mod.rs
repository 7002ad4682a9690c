//! What is committed is told to every node on the database, in commit order, whoever dies in between.
//!
//! The writer tells its own node right after the commit. For the others it leaves a row in `holodrive_outbox` in the same
//! transaction; each follows the rows from the position at which it joined (`holodrive_node`). A node reads the rows of
//! others at the beginning of every transaction of its own, and publishes them before its own events: so all nodes publish
//! in one order, that of the commits. A node that is alone writes no rows: whoever comes later reads the database.

mod entries;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
mod tests;
mod topic;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use holodrive_protocol::Timestamp;
use tokio::sync::watch;
use uuid::Uuid;

use self::{entries::Entry, topic::Topics};
use super::{Row, StorageError, Tx};
pub(super) use entries::{Outgoing, forget_published};
pub use topic::{Event, Topic};

/// A node that was not seen for so long is taken for dead: nobody keeps rows for it any more.
const DEAD_AFTER: Duration = Duration::from_secs(60);
/// How long the mark of a commit is kept: far longer than a lost answer can matter, since others take the node for dead by then.
const MARK_LASTS: Duration = Duration::from_hours(24);
/// The position of a node that follows nothing: a command, or a server that is still starting.
const NOT_JOINED: i64 = -1;

/// This process's part in the outbox.
pub(super) struct Outbox {
    node: String,
    topics: Topics,
    /// The last row that this node has published. Only the writer moves it.
    position: AtomicI64,
    /// Counts how often this node may have missed rows: it was taken for dead, or could not join at its start.
    misses: watch::Sender<u64>,
}

/// What a transaction finds when it begins.
pub(super) struct News {
    entries: Vec<Entry>,
    /// Where this node stands once the entries are published.
    position: i64,
    missed: bool,
}

impl News {
    /// Leaves what the transaction has to tell for the other nodes, where there are any.
    pub(super) fn record(&mut self, tx: &mut Tx<'_>) -> Result<(), StorageError> {
        let Some(id) = entries::record(tx)? else { return Ok(()) };
        tx.wake_others();
        if self.position != NOT_JOINED {
            self.position = id;
        }
        Ok(())
    }
}

impl Outbox {
    pub(super) fn new() -> Self {
        let (topics, misses) = (Topics::default(), watch::Sender::default());
        Self { node: Uuid::new_v4().simple().to_string(), topics, position: AtomicI64::new(NOT_JOINED), misses }
    }

    pub(super) fn topic<E: Event>(&self, name: &'static str, hear: impl Fn(E) + Send + Sync + 'static) -> Topic<E> {
        self.topics.add(name, hear)
    }

    pub(super) fn misses(&self) -> watch::Receiver<u64> {
        self.misses.subscribe()
    }

    fn position(&self) -> i64 {
        self.position.load(Ordering::Relaxed)
    }

    /// Makes this process a node, from this transaction on.
    pub(super) fn join(self: &Arc<Self>, tx: &mut Tx<'_>) -> Result<(), StorageError> {
        let position = self.enter(tx)?;
        let outbox = Arc::clone(self);
        tx.after_commit(move || outbox.position.store(position, Ordering::Relaxed));
        Ok(())
    }

    fn enter(&self, tx: &mut Tx<'_>) -> Result<i64, StorageError> {
        let position = entries::last(tx)?;
        let sql = "INSERT INTO holodrive_node (node, position, seen_at) VALUES ($1, $2, $3)";
        tx.execute(sql, &[self.node.as_str().into(), position.into(), tx.now().into()])?;
        Ok(position)
    }

    /// Ends this node's part: nobody keeps rows for it any more.
    pub(super) fn leave(self: &Arc<Self>, tx: &mut Tx<'_>) -> Result<(), StorageError> {
        tx.execute("DELETE FROM holodrive_node WHERE node = $1", &[self.node.as_str().into()])?;
        let outbox = Arc::clone(self);
        tx.after_commit(move || outbox.position.store(NOT_JOINED, Ordering::Relaxed));
        Ok(())
    }

    /// Looks who else is there, and what they have committed.
    pub(super) fn begin(&self, tx: &mut Tx<'_>) -> Result<News, StorageError> {
        let nodes = tx.query("SELECT node FROM holodrive_node", &[])?;
        let nodes = nodes.into_iter().map(Row::first::<String>).collect::<Result<Vec<_>, _>>()?;
        let here = nodes.contains(&self.node);
        if nodes.len() > usize::from(here) {
            tx.outgoing = Some(Outgoing::default());
        }
        let position = self.position();
        match (position, here) {
            (NOT_JOINED, _) => Ok(News { entries: Vec::new(), position, missed: false }),
            (_, false) => Ok(News { entries: Vec::new(), position: self.enter(tx)?, missed: true }),
            (_, true) => {
                let entries = entries::after(tx, position)?;
                let position = entries.last().map_or(position, |entry| entry.id);
                Ok(News { entries, position, missed: false })
            }
        }
    }

    /// After the commit: tells this node what others have committed before.
    pub(super) fn publish(&self, news: News) {
        self.position.store(news.position, Ordering::Relaxed);
        if news.missed {
            self.missed();
        }
        for entry in news.entries {
            entry.for_each(|name, event| self.topics.hear(name, event));
        }
    }

    fn missed(&self) {
        tracing::warn!("this node may have missed what others committed: it begins anew");
        self.misses.send_modify(|count| *count += 1);
    }

    /// Whether there are rows that this node has not published.
    pub(super) fn is_behind(&self, tx: &mut Tx<'_>) -> Result<bool, StorageError> {
        let position = self.position();
        Ok(position != NOT_JOINED && entries::any_after(tx, position)?)
    }

    /// Shows that this node lives, and forgets the dead.
    pub(super) fn attend(self: &Arc<Self>, tx: &mut Tx<'_>) -> Result<(), StorageError> {
        if self.position() == NOT_JOINED {
            self.join(tx)?;
            let outbox = Arc::clone(self);
            tx.after_commit(move || outbox.missed());
            return Ok(());
        }
        let (dead_since, marked_since) = (earlier(tx.now(), DEAD_AFTER), earlier(tx.now(), MARK_LASTS));
        // While the database was away nobody could be seen: who was not seen himself does not judge the others.
        let sql = "DELETE FROM holodrive_node WHERE seen_at < $1 \
            AND EXISTS (SELECT 1 FROM holodrive_node AS here WHERE here.node = $2 AND here.seen_at >= $1)";
        tx.execute(sql, &[dead_since.into(), self.node.as_str().into()])?;
        let sql = "UPDATE holodrive_node SET position = $2, seen_at = $3 WHERE node = $1";
        tx.execute(sql, &[self.node.as_str().into(), self.position().into(), tx.now().into()])?;
        tx.execute("DELETE FROM holodrive_commit WHERE committed_at < $1", &[marked_since.into()]).map(drop)
    }
}

fn earlier(now: Timestamp, by: Duration) -> Timestamp {
    Timestamp::from_micros(now.as_micros().saturating_sub_unsigned(u64::try_from(by.as_micros()).unwrap_or(u64::MAX)))
}
