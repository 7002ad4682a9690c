//! Those who come to the door and want HTTP.

use std::sync::Arc;

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{connection, front::Front};
use crate::gateway::Visitors;

/// Serves HTTP/1.1 connections until nobody comes any more; from `stop` on only requests in hand are finished.
pub(super) struct Acceptor {
    pub(super) front: Arc<Front>,
    pub(super) stop: CancellationToken,
}

impl Acceptor {
    pub(super) async fn run(self, mut visitors: Visitors) {
        let connections = TaskTracker::new();
        while let Some(visitor) = visitors.next().await {
            connections.spawn(connection::serve(Arc::clone(&self.front), visitor, self.stop.clone()));
        }
        connections.close();
        connections.wait().await;
    }
}
