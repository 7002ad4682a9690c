//! Those who came to the door and want something else than a WebSocket.

use std::{
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::handover::Receiver;
use crate::telemetry::Seldom;

/// How long to wait when a visitor's socket finds no room: most often the process is out of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Somebody to be served by HTTP.
pub struct Visitor {
    /// His socket, which does not block.
    pub stream: TcpStream,
    /// Where he comes from.
    pub address: SocketAddr,
    /// What was read of him already.
    pub read: Bytes,
}

/// A [`Visitor`] without his socket, which comes another way.
pub(super) struct Visit {
    pub(super) address: SocketAddr,
    pub(super) read: Bytes,
}

/// Where visitors come out, in the order in which the loops send them.
pub struct Visitors {
    way_out: Receiver,
    visits: mpsc::UnboundedReceiver<Visit>,
    lost: Seldom,
}

impl Visitors {
    pub(super) fn new(way_out: Receiver, visits: mpsc::UnboundedReceiver<Visit>) -> Self {
        Self { way_out, visits, lost: Seldom::default() }
    }

    /// The next one; `None` once all doors are shut.
    pub async fn next(&mut self) -> Option<Visitor> {
        loop {
            let Visit { address, read } = self.visits.recv().await?;
            match self.way_out.receive() {
                Ok(socket) => return Some(Visitor { stream: socket.into(), address, read }),
                Err(error) => {
                    if self.lost.is_due() {
                        tracing::warn!(%error, "connections cannot be taken");
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}
