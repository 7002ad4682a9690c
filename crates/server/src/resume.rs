//! `?since=`: from what is stored to what comes live, nothing missing and nothing twice.
//!
//! The feature subscribes first, so that live events wait behind the closed gate of the subscription. Then it reads what
//! is stored, page by page, as fast as the client takes it. What waited is let through unless it was read already. This
//! is sound because ids grow in commit order, and an event is published after its commit.

use crate::{
    fanout::Subscription,
    gateway::{Close, Connection, Frame},
};
use holodrive_protocol::socket::CommonServerMessage;
use std::hash::Hash;

/// Stored messages that are read at a time.
pub const PAGE: i64 = 200;

/// An event of a sequence that can be resumed.
pub trait Sequenced: Send + Sync + 'static {
    /// Its place in the sequence; `None` for what only matters live.
    fn id(&self) -> Option<i64>;
}

/// A stored message with its id.
pub type Stored = (i64, Frame);

/// Sends what is stored after `since`, then `resumed`, then opens the subscription.
///
/// `page` reads up to [`PAGE`] messages with a higher id than it is given, oldest first.
///
/// # Errors
/// What `page` gives: the reason to close the connection.
pub async fn resume<K, E, F>(
    connection: &Connection,
    subscription: &Subscription<K, E>,
    since: i64,
    page: impl Fn(i64) -> F,
) -> Result<(), Close>
where
    K: Clone + Eq + Hash + Send + 'static,
    E: Sequenced,
    F: Future<Output = Result<Vec<Stored>, Close>>,
{
    let (mut last, count) = replay(connection, since, &page).await?;
    connection.send(Frame::json(&CommonServerMessage::Resumed { count }));
    // Where more events came than are kept, they are read as well.
    while subscription.open(|event| event.id().is_none_or(|id| id > last)).is_err() {
        (last, _) = replay(connection, last, &page).await?;
    }
    Ok(())
}

/// Sends what is stored after `since`; gives the id of the last message, and how many there were.
async fn replay<F>(connection: &Connection, since: i64, page: &impl Fn(i64) -> F) -> Result<(i64, u64), Close>
where
    F: Future<Output = Result<Vec<Stored>, Close>>,
{
    let (mut last, mut count) = (since, 0);
    loop {
        let stored = page(last).await?;
        let complete = i64::try_from(stored.len()).is_ok_and(|length| length < PAGE);
        for (id, frame) in stored {
            connection.send_when_room(frame).await;
            (last, count) = (id, count + 1);
        }
        if complete {
            return Ok((last, count));
        }
    }
}
