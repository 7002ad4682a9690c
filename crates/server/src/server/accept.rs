//! The accept loop.

use std::{io, sync::Arc, time::Duration};

use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{connection, front::Front};
use crate::telemetry::Seldom;

/// How long to wait after a failed accept: most often the process is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves HTTP/1.1 connections until `stop`, then lets requests in hand finish.
pub(super) struct Acceptor {
    pub(super) front: Arc<Front>,
    pub(super) stop: CancellationToken,
}

impl Acceptor {
    pub(super) async fn run(self, listener: TcpListener) {
        let (connections, failures) = (TaskTracker::new(), Seldom::default());
        while let Some(accepted) = self.stop.run_until_cancelled(listener.accept()).await {
            match accepted {
                Ok((stream, peer)) => {
                    let front = Arc::clone(&self.front);
                    connections.spawn(connection::serve(front, stream, peer, self.stop.clone()));
                }
                // That client is gone; the next one need not wait.
                Err(error) if is_of_client(&error) => {}
                Err(error) => {
                    if failures.is_due() {
                        tracing::warn!(%error, "connections cannot be accepted");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(listener);
        connections.close();
        connections.wait().await;
    }
}

fn is_of_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
