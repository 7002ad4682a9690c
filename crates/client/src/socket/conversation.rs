//! One connection, from the handshake to its end.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use holodrive_protocol::socket::{CommonClientMessage, CommonServerMessage, ErrorMessage};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, Interval, interval_at, timeout};
use tokio_tungstenite::tungstenite::{
    Error as WsError, Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use super::{Event, ServerMessage, connect::Stream, ending::Lost, supervisor::Supervisor};
use crate::TokenFuture;

/// How long the server has to answer a close frame.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// Given up when nothing came for so many keep-alive periods.
const SILENT_PERIODS: u32 = 2;
/// The period of a timer that is switched off.
const NEVER: Duration = Duration::from_hours(24);

pub(super) struct Conversation<'a, S> {
    supervisor: &'a mut Supervisor<S>,
    stream: Stream,
    /// Whether the first message has come: before it, a refusal may, and what was sent would be lost.
    established: bool,
    /// The last words of the server before its close frame.
    farewell: Option<ErrorMessage>,
    renewal: Option<TokenFuture<'static>>,
    heard: Instant,
}

impl<'a, S: ServerMessage> Conversation<'a, S> {
    pub(super) fn new(supervisor: &'a mut Supervisor<S>, stream: Stream) -> Self {
        Self { supervisor, stream, established: false, farewell: None, renewal: None, heard: Instant::now() }
    }

    /// `None` when the owner wants no more.
    pub(super) async fn run(mut self) -> Option<Lost> {
        let owner = self.supervisor.events.clone();
        let mut ticks = self.ticks();
        loop {
            let step = tokio::select! {
                () = owner.closed() => {
                    self.leave().await;
                    return None;
                }
                frame = self.stream.next() => self.on_frame(frame).await,
                Some(text) = self.supervisor.outbox.recv(), if self.established => self.send(text).await,
                token = async { self.renewal.as_mut()?.await.ok() }, if self.renewal.is_some() => self.on_token(token).await,
                _ = ticks.tick() => self.on_tick().await,
            };
            if let Err(lost) = step {
                return Some(lost);
            }
        }
    }

    fn ticks(&self) -> Interval {
        let period = self.supervisor.keep_alive.unwrap_or(NEVER).max(Duration::from_millis(1));
        interval_at(Instant::now() + period, period)
    }

    async fn on_frame(&mut self, frame: Option<Result<Message, WsError>>) -> Result<(), Lost> {
        self.heard = Instant::now();
        match frame {
            Some(Ok(Message::Text(text))) => self.on_text(text.as_str()).await,
            Some(Ok(Message::Close(frame))) => {
                // Sends the answer to the close frame, as far as the peer still listens.
                let _ = timeout(CLOSE_TIMEOUT, self.stream.flush()).await;
                Err(Lost::closed(frame.as_ref(), self.farewell.as_ref()))
            }
            Some(Ok(_)) => Ok(()),
            Some(Err(error)) if self.farewell.is_none() => Err(Lost::retry(error.to_string())),
            Some(Err(_)) | None => Err(Lost::closed(None, self.farewell.as_ref())),
        }
    }

    async fn on_text(&mut self, text: &str) -> Result<(), Lost> {
        if is_common(text) {
            match serde_json::from_str(text) {
                Ok(message) => self.on_common(message).await,
                Err(error) => tracing::debug!(path = self.supervisor.path, %error, "unknown message"),
            }
        } else {
            match serde_json::from_str::<S>(text) {
                Ok(message) => self.on_message(message).await,
                // A newer server may say more than this client understands.
                Err(error) => tracing::debug!(path = self.supervisor.path, %error, "unknown message"),
            }
        }
        Ok(())
    }

    async fn on_message(&mut self, message: S) {
        if !self.established {
            self.established = true;
            self.supervisor.token.refused = false;
            self.emit(Event::Connected { resumed: self.supervisor.resume.last().is_some() }).await;
        }
        if self.supervisor.resume.admit(message.resume_id()) {
            self.emit(Event::Message(message)).await;
        }
    }

    async fn on_common(&mut self, message: CommonServerMessage) {
        match message {
            CommonServerMessage::Error(error) if error.reconnect.is_some() => self.farewell = Some(error),
            CommonServerMessage::Error(error) => self.emit(Event::Refused(error)).await,
            CommonServerMessage::TokenExpiring { .. } => self.renew(),
            CommonServerMessage::Resumed { count } => self.emit(Event::Resumed { count }).await,
            CommonServerMessage::Pong | CommonServerMessage::Authenticated { .. } => {}
        }
    }

    /// A closed channel shows itself in the loop.
    async fn emit(&mut self, event: Event<S>) {
        let _ = self.supervisor.events.send(event).await;
    }

    /// Asks for another token while messages go on.
    fn renew(&mut self) {
        let (api, token) = (self.supervisor.api.clone(), self.supervisor.token.token.clone());
        self.renewal = Some(Box::pin(async move { api.access_token(token.as_deref()).await }));
    }

    /// Without a new token the server closes when the old one runs out, and the next connection asks again.
    async fn on_token(&mut self, token: Option<String>) -> Result<(), Lost> {
        self.renewal = None;
        let Some(token) = token else { return Ok(()) };
        self.supervisor.token.token = Some(token.clone());
        self.send_common(&CommonClientMessage::Authenticate { token }).await
    }

    async fn on_tick(&mut self) -> Result<(), Lost> {
        let Some(period) = self.supervisor.keep_alive else { return Ok(()) };
        if self.heard.elapsed() >= period * SILENT_PERIODS {
            return Err(Lost::retry("the server went silent"));
        }
        self.send_common(&CommonClientMessage::Ping).await
    }

    async fn send_common(&mut self, message: &impl Serialize) -> Result<(), Lost> {
        match serde_json::to_string(message) {
            Ok(text) => self.send(text).await,
            Err(error) => Err(Lost::retry(error.to_string())),
        }
    }

    async fn send(&mut self, text: String) -> Result<(), Lost> {
        self.stream.send(Message::text(text)).await.map_err(|error| match &self.farewell {
            Some(farewell) => Lost::closed(None, Some(farewell)),
            None => Lost::retry(error.to_string()),
        })
    }

    /// Sends what is still queued and closes. Errors mean that the connection is gone already.
    async fn leave(mut self) {
        while self.established
            && let Ok(text) = self.supervisor.outbox.try_recv()
        {
            if self.send(text).await.is_err() {
                return;
            }
        }
        let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        let _ = timeout(CLOSE_TIMEOUT, async {
            self.stream.close(Some(frame)).await?;
            while self.stream.next().await.transpose()?.is_some() {}
            Ok::<_, WsError>(())
        })
        .await;
    }
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type", borrow)]
    kind: std::borrow::Cow<'a, str>,
}

/// Whether the message is one that every endpoint sends.
fn is_common(text: &str) -> bool {
    const COMMON: [&str; 5] = ["error", "pong", "authenticated", "token_expiring", "resumed"];
    serde_json::from_str::<Envelope>(text).is_ok_and(|envelope| COMMON.contains(&&*envelope.kind))
}
