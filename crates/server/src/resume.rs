//! `?since=`: from what is stored to what comes live, nothing missing and nothing twice.
//!
//! The feature subscribes first, so that live events wait behind the closed gate of the subscription. Then it reads what
//! is stored, page by page, as fast as the client takes it. What waited is let through unless it was read already. This
//! is sound because ids grow in commit order, and an event is published after its commit.

use crate::{
    fanout::{Sequenced, Subscriber, Subscription},
    gateway::{Close, Connection, Frame},
};
use holodrive_protocol::socket::CommonServerMessage;
use std::hash::Hash;

/// Opens a subscription for everything that comes, since no snapshot was read.
pub const FROM_NOW_ON: i64 = i64::MIN;
/// Stored messages that are read at a time.
pub const PAGE: i64 = 200;

/// A stored message with its id.
pub type Stored = (i64, Frame);

/// Begins a connection's stream: with a replay where `since` asks for one, and closes it when that is not possible.
/// `sent` is told of each message of the replay once the connection has it.
pub async fn begin<K, E, S, F>(
    connection: &Connection,
    subscription: &Subscription<K, E, S>,
    since: Option<i64>,
    page: impl Fn(i64) -> F,
    sent: impl Fn(i64),
) where
    K: Copy + Eq + Hash,
    E: Sequenced,
    S: Subscriber<E>,
    F: Future<Output = Result<Vec<Stored>, Close>>,
{
    let begun = match since {
        Some(since) => resume(connection, subscription, since, page, sent).await,
        None => subscription.open(FROM_NOW_ON).map_err(|_| Close::slow_consumer()),
    };
    if let Err(close) = begun {
        connection.close(close);
    }
}

/// Sends what is stored after `since`, then `resumed`, then opens the subscription.
///
/// `page` reads up to [`PAGE`] messages with a higher id than it is given, oldest first.
///
/// # Errors
/// What `page` gives: the reason to close the connection.
async fn resume<K, E, S, F>(
    connection: &Connection,
    subscription: &Subscription<K, E, S>,
    since: i64,
    page: impl Fn(i64) -> F,
    sent: impl Fn(i64),
) -> Result<(), Close>
where
    K: Copy + Eq + Hash,
    E: Sequenced,
    S: Subscriber<E>,
    F: Future<Output = Result<Vec<Stored>, Close>>,
{
    let (mut last, count) = replay(connection, since, &page, &sent).await?;
    connection.send(Frame::json(&CommonServerMessage::Resumed { count }));
    // Where more events came than are kept, they are read as well.
    while subscription.open(last).is_err() {
        (last, _) = replay(connection, last, &page, &sent).await?;
    }
    Ok(())
}

/// Sends what is stored after `since`; gives the id of the last message, and how many there were.
async fn replay<F>(
    connection: &Connection,
    since: i64,
    page: &impl Fn(i64) -> F,
    sent: &impl Fn(i64),
) -> Result<(i64, u64), Close>
where
    F: Future<Output = Result<Vec<Stored>, Close>>,
{
    let (mut last, mut count) = (since, 0);
    loop {
        let stored = page(last).await?;
        let complete = i64::try_from(stored.len()).is_ok_and(|length| length < PAGE);
        for (id, frame) in stored {
            connection.send_when_room(frame).await;
            sent(id);
            (last, count) = (id, count + 1);
        }
        if complete {
            return Ok((last, count));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
mod tests {
    use std::sync::{Arc, Mutex};

    use holodrive_protocol::{UserId, chat::ChatServerMessage};

    use super::*;
    use crate::{
        fanout::{Hub, Sequenced, Subscriber},
        testing::Site,
    };

    struct Event(i64);

    impl Sequenced for Event {
        fn position(&self) -> Option<i64> {
            Some(self.0)
        }
    }

    struct Listener(Arc<Connection>);

    impl Subscriber<Event> for Listener {
        fn deliver(&self, event: &Event) {
            self.0.send(frame(event.0));
        }

        fn lost(&self) {
            self.0.close(Close::slow_consumer());
        }
    }

    fn frame(id: i64) -> Frame {
        Frame::json(&ChatServerMessage::MessageRead { message_id: id, read_by: UserId::Int(1) })
    }

    /// More events come during each of the first reads than the gate keeps.
    #[tokio::test]
    async fn events_that_were_too_many_to_be_kept_are_read() {
        let site = Site::new();
        let mut peer = site.notifications(&site.user("Ann", "Lee").await, None).await;
        peer.hear_type("connection_established").await;
        let (hub, stored) = (Hub::new(), Mutex::new(1_i64));
        let subscription = hub.subscribe((), Listener(Arc::clone(&peer.connection)));
        let page = async |after: i64| {
            let mut last = stored.lock().unwrap();
            let page = (after + 1..=*last).take(usize::try_from(PAGE).unwrap()).map(|id| (id, frame(id))).collect();
            if *last < 5_000 {
                for _ in 0..2_000 {
                    *last += 1;
                    hub.publish(&(), Event(*last));
                }
            }
            Ok(page)
        };
        resume(&peer.connection, &subscription, 0, page, |_| {}).await.unwrap();
        let last = *stored.lock().unwrap();
        hub.publish(&(), Event(last + 1));
        assert_eq!(peer.hear().await["message_id"], 1);
        peer.hear_type("resumed").await;
        for id in 2..=last + 1 {
            assert_eq!(peer.hear().await["message_id"], id);
        }
    }
}
