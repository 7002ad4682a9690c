//! Sockets that come back by themselves.

mod builder;
mod connect;
mod conversation;
mod ending;
mod endpoint;
mod event;
mod resume;
mod supervisor;

use std::marker::PhantomData;

use serde::Serialize;
use tokio::{sync::mpsc, task::JoinHandle};

pub use self::{
    builder::SocketBuilder,
    endpoint::{ChatSocket, DriverOrdersSocket, NotificationsSocket, RiderOrdersSocket, ServerMessage, TrackingSocket},
    event::{EndReason, Event, SendError},
};

/// Messages that wait to be sent; beyond it [`Socket::send`] fails.
const OUTBOX_MESSAGES: usize = 64;
/// Events that wait to be read; beyond it the server's messages stay in the network.
const INBOX_EVENTS: usize = 256;

/// A connection to one endpoint, which receives `S` and sends `C`.
///
/// Dropping it closes the connection in the background; [`Socket::close`] waits for that.
#[derive(Debug)]
pub struct Socket<S, C> {
    events: mpsc::Receiver<Event<S>>,
    outbox: mpsc::Sender<String>,
    task: JoinHandle<()>,
    end: Option<EndReason>,
    sends: PhantomData<fn(&C)>,
}

impl<S: ServerMessage, C: Serialize> Socket<S, C> {
    /// What happens next. After [`Event::Ended`] it is that for ever.
    ///
    /// It can be dropped while it waits, as in `select!`; nothing is lost.
    pub async fn next(&mut self) -> Event<S> {
        if let Some(end) = &self.end {
            return Event::Ended(end.clone());
        }
        let event = self.events.recv().await.unwrap_or(Event::Ended(EndReason::Closed));
        if let Event::Ended(end) = &event {
            self.end = Some(end.clone());
        }
        event
    }

    /// Queues a message; it is sent at once, or after the next connect. One that was on its way when a connection
    /// broke may or may not have arrived: give chat messages a `client_id`, then sending them again is harmless.
    pub fn send(&self, message: &C) -> Result<(), SendError> {
        let text = serde_json::to_string(message).map_err(|error| SendError::Invalid(error.to_string()))?;
        self.outbox.try_send(text).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SendError::Full,
            mpsc::error::TrySendError::Closed(_) => SendError::Ended,
        })
    }

    /// Sends what is queued, if there is a connection, and closes it. Events not read yet are dropped.
    pub async fn close(mut self) {
        self.events.close();
        // The task ends by itself, and a panic in it has been reported by the runtime.
        let _ = self.task.await;
    }
}
