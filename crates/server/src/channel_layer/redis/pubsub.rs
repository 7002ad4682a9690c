//! The layer `channels_redis.pubsub`: each group is a channel, and nothing is kept for whoever is not there.

use std::{str::from_utf8, sync::Arc};

use ::redis::{PushInfo, PushKind, Value, aio::MultiplexedConnection};
use tokio::sync::Notify;

use super::{Failure, Host, ping};
use crate::channel_layer::{groups::Group, inward::Inward};

/// A connection that listens to groups.
pub(in super::super) struct PubSub {
    connection: MultiplexedConnection,
    lost: Arc<Notify>,
}

impl PubSub {
    pub(in super::super) async fn connect(host: &Host, inward: Arc<Inward>) -> Result<Self, Failure> {
        let lost = Arc::new(Notify::new());
        let notify = Arc::clone(&lost);
        let hear = move |push: PushInfo| match (push.kind, &push.data[..]) {
            (PushKind::Disconnection, _) => notify.notify_one(),
            (PushKind::Message, [Value::BulkString(channel), Value::BulkString(message)]) => {
                inward.published(from_utf8(channel).unwrap_or_default(), message);
            }
            _ => {}
        };
        Ok(Self { connection: host.connect_listening(hear).await?, lost })
    }

    pub(in super::super) async fn join(&mut self, groups: &[Arc<Group>]) -> Result<(), Failure> {
        Ok(self.connection.subscribe(channels(groups)).await?)
    }

    pub(in super::super) async fn leave(&mut self, groups: &[Arc<Group>]) -> Result<(), Failure> {
        Ok(self.connection.unsubscribe(channels(groups)).await?)
    }

    /// Looks whether the server is still there.
    pub(in super::super) async fn check(&mut self) -> Result<(), Failure> {
        ping(&mut self.connection).await
    }

    /// Ends when the connection is lost.
    pub(in super::super) async fn lost(&mut self) -> Failure {
        self.lost.notified().await;
        Failure("the connection was closed".into())
    }
}

fn channels(groups: &[Arc<Group>]) -> Vec<&str> {
    groups.iter().map(|group| &*group.address).collect()
}
