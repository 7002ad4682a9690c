//! Settings of a socket.

use std::{marker::PhantomData, time::Duration};

use serde::Serialize;
use tokio::sync::mpsc;

use super::{
    INBOX_EVENTS, OUTBOX_MESSAGES, ServerMessage, Socket,
    resume::Resume,
    supervisor::{Supervisor, TokenInUse},
};
use crate::{Api, Backoff};

/// A socket that is not connected yet; made by the methods of [`Api`].
#[derive(Debug)]
pub struct SocketBuilder<S, C> {
    api: Api,
    path: String,
    since: Option<i64>,
    backoff_base: Duration,
    backoff_cap: Duration,
    keep_alive: Option<Duration>,
    seed: Option<u64>,
    messages: PhantomData<fn(&C) -> S>,
}

impl<S: ServerMessage, C: Serialize> SocketBuilder<S, C> {
    pub(super) fn new(api: Api, path: String) -> Self {
        Self {
            seed: api.jitter_seed(),
            api,
            path,
            since: None,
            backoff_base: Duration::from_millis(500),
            backoff_cap: Duration::from_secs(20),
            keep_alive: Some(Duration::from_secs(25)),
            messages: PhantomData,
        }
    }

    /// Begins after the message of this id, with all that is stored since; `0` asks for everything. Without it the
    /// first connection begins with what happens next, and reconnects resume from the last message seen.
    #[must_use]
    pub const fn since(mut self, id: i64) -> Self {
        self.since = Some(id);
        self
    }

    /// The shortest and the longest bound of the wait before a reconnect; 0.5 s and 20 s by default.
    #[must_use]
    pub const fn backoff(mut self, base: Duration, cap: Duration) -> Self {
        self.backoff_base = base;
        self.backoff_cap = cap;
        self
    }

    /// How often to send `ping`; every 25 s by default. A connection on which nothing came for two such periods is
    /// given up. `None` relies on the server's own pings and on TCP.
    #[must_use]
    pub const fn keep_alive(mut self, period: Option<Duration>) -> Self {
        self.keep_alive = period;
        self
    }

    /// Makes the waits repeatable, for tests.
    #[must_use]
    pub const fn jitter_seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Begins to connect, and goes on doing so. Must be called within a tokio runtime.
    pub fn connect(self) -> Socket<S, C> {
        let (events, inbox) = mpsc::channel(INBOX_EVENTS);
        let (outbox, messages) = mpsc::channel(OUTBOX_MESSAGES);
        let supervisor = Supervisor {
            api: self.api,
            path: self.path,
            events,
            outbox: messages,
            backoff: Backoff::new(self.backoff_base, self.backoff_cap, self.seed),
            resume: Resume::since(self.since),
            keep_alive: self.keep_alive,
            token: TokenInUse::default(),
        };
        let task = tokio::spawn(supervisor.run());
        Socket { events: inbox, outbox, task, end: None, sends: PhantomData }
    }
}
