//! Connects, converses, and decides whether to come back.

use std::time::Duration;

use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

use super::{
    Event, ServerMessage,
    connect::{self, Stream},
    conversation::Conversation,
    ending::{Lost, Verdict},
    event::EndReason,
    resume::Resume,
};
use crate::{Api, Backoff};

/// A connection that lasted this long was a good one: the next loss starts from the shortest wait.
const STABLE_AFTER: Duration = Duration::from_secs(5);

/// The task behind a socket: what outlives a single connection.
pub(super) struct Supervisor<S> {
    pub(super) api: Api,
    pub(super) path: String,
    pub(super) events: mpsc::Sender<Event<S>>,
    pub(super) outbox: mpsc::Receiver<String>,
    pub(super) backoff: Backoff,
    pub(super) resume: Resume,
    pub(super) keep_alive: Option<Duration>,
    pub(super) token: TokenInUse,
}

/// The token that the server saw last.
#[derive(Default)]
pub(super) struct TokenInUse {
    pub(super) token: Option<String>,
    /// Whether the server refused it before it let the client in.
    pub(super) refused: bool,
}

impl<S: ServerMessage> Supervisor<S> {
    pub(super) async fn run(mut self) {
        let reason = self.keep_connected().await;
        // Nobody may be left to hear it.
        let _ = self.events.send(Event::Ended(reason)).await;
    }

    async fn keep_connected(&mut self) -> EndReason {
        loop {
            let Some(lost) = self.connection().await else { return EndReason::Closed };
            if let Some(reason) = self.end(&lost) {
                return reason;
            }
            if self.pause(lost).await.is_none() {
                return EndReason::Closed;
            }
        }
    }

    /// One connection from its beginning to its end; `None` when the owner wants no more.
    async fn connection(&mut self) -> Option<Lost> {
        let owner = self.events.clone();
        let stream = tokio::select! {
            () = owner.closed() => return None,
            stream = self.connect() => stream,
        };
        let begun = Instant::now();
        let lost = match stream {
            Ok(stream) => Conversation::new(self, stream).run().await,
            Err(lost) => Some(lost),
        };
        if begun.elapsed() >= STABLE_AFTER {
            self.backoff.reset();
        }
        lost
    }

    async fn connect(&mut self) -> Result<Stream, Lost> {
        let rejected = self.token.token.as_deref().filter(|_| self.token.refused);
        let token = self.api.access_token(rejected).await.map_err(|error| Lost::without_token(&error))?;
        let token = self.token.token.insert(token);
        connect::open(&self.api, &self.path, self.resume.last(), token).await
    }

    /// Two tokens refused in a row: a third one would be refused too.
    fn end(&mut self, lost: &Lost) -> Option<EndReason> {
        let refused_before = self.token.refused;
        self.token.refused |= lost.verdict == Verdict::Unauthorized;
        (lost.verdict != Verdict::Unauthorized || refused_before).then(|| lost.end()).flatten()
    }

    /// Waits for the next try; `None` when the owner wants no more.
    async fn pause(&mut self, lost: Lost) -> Option<()> {
        let retry_in = lost.retry_after.unwrap_or_else(|| self.backoff.next_wait());
        tracing::debug!(path = self.path, cause = lost.cause, ?retry_in, "disconnected");
        self.events.send(Event::Disconnected { cause: lost.cause, retry_in }).await.ok()?;
        tokio::select! {
            () = self.events.closed() => None,
            () = sleep(retry_in) => Some(()),
        }
    }
}
