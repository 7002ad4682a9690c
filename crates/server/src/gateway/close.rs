use std::time::Duration;

use holodrive_protocol::socket::{CommonServerMessage, ErrorCode, ErrorMessage};

use super::Frame;
use crate::{hooks::HookError, storage::StorageError};

/// The shortest and the longest wait that a client is told before it comes back.
const RETRY_MS: std::ops::Range<u64> = 500..5_000;

/// Why the server ends a connection: the close code, and the error message that goes before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// The WebSocket close code.
    pub code: u16,
    /// Sent right before the close frame; protocol errors have none.
    pub error: Option<ErrorMessage>,
}

impl Close {
    /// The code of [`Close::idle_timeout`].
    pub(super) const IDLE_TIMEOUT: u16 = 4408;
    /// The code of [`Close::slow_consumer`].
    pub(super) const SLOW_CONSUMER: u16 = 4410;

    /// 4401: no credential, or one that does not count. `reconnect` says whether a fresh look at it may help.
    pub fn unauthorized(message: &str, reconnect: bool) -> Self {
        Self::with_error(4401, ErrorCode::Unauthorized, message, reconnect)
    }

    /// 4401: the access token ran out.
    pub fn token_expired() -> Self {
        Self::with_error(4401, ErrorCode::TokenExpired, "the access token has expired: fetch a new one", true)
    }

    /// 4403: not for this user.
    pub fn forbidden(message: &str) -> Self {
        Self::with_error(4403, ErrorCode::Forbidden, message, false)
    }

    /// 4408: pings go unanswered.
    pub fn idle_timeout() -> Self {
        Self::with_error(Self::IDLE_TIMEOUT, ErrorCode::IdleTimeout, "no answer to pings", true)
    }

    /// 4410: the peer reads too slowly.
    pub fn slow_consumer() -> Self {
        let message = "messages were not read fast enough: reconnect and resume with ?since=";
        Self::with_error(Self::SLOW_CONSUMER, ErrorCode::SlowConsumer, message, true)
    }

    /// 4429: too many messages or connections.
    pub fn rate_limited(message: &str) -> Self {
        Self::with_error(4429, ErrorCode::RateLimited, message, true)
    }

    /// 1001: the server stops. `spread` is how long the other sockets are being told.
    pub fn going_away(spread: Duration) -> Self {
        let mut close = Self::with_error(1001, ErrorCode::GoingAway, "the server is restarting: reconnect", true);
        let longest = u64::try_from(spread.as_millis()).unwrap_or(u64::MAX).max(RETRY_MS.end);
        if let Some(error) = &mut close.error {
            error.retry_after_ms = Some(rand::random_range(RETRY_MS.start..=longest));
        }
        close
    }

    /// 1001: events of other nodes passed this one by; whoever comes again resumes from the database.
    pub fn missed_events() -> Self {
        let message = "this server was cut off from the others and missed messages: reconnect and resume";
        Self::with_error(1001, ErrorCode::GoingAway, message, true)
    }

    /// 1011: the server could not do its part, such as read the database.
    pub fn unavailable() -> Self {
        Self::with_error(1011, ErrorCode::Unavailable, "the server cannot read its database: try again", true)
    }

    /// 1011: the back end, which is to be asked, is away.
    pub fn back_end_unavailable() -> Self {
        Self::with_error(1011, ErrorCode::Unavailable, "the back end does not answer at the moment: try again", true)
    }

    /// 1009: longer than `MAX_MESSAGE_BYTES`.
    pub const fn too_big() -> Self {
        Self { code: 1009, error: None }
    }

    fn with_error(code: u16, kind: ErrorCode, message: &str, reconnect: bool) -> Self {
        let retry_after_ms = Some(rand::random_range(RETRY_MS));
        let error = ErrorMessage { reconnect: Some(reconnect), retry_after_ms, ..ErrorMessage::new(kind, message) };
        Self { code, error: Some(error) }
    }

    /// The last frames of the connection: the error message, where there is one, and the close frame.
    pub(super) fn farewell(&self) -> Vec<Frame> {
        let error = self.error.clone().map(|error| Frame::json(&CommonServerMessage::Error(error)));
        error.into_iter().chain([Frame::close(Some(self.code), &self.reason())]).collect()
    }

    /// The name of the reason in logs and metrics, and the text of the close frame.
    pub fn reason(&self) -> String {
        self.error.as_ref().map_or_else(String::new, |error| {
            serde_json::to_value(error.code).ok().and_then(|code| code.as_str().map(str::to_owned)).unwrap_or_default()
        })
    }
}

impl From<StorageError> for Close {
    fn from(error: StorageError) -> Self {
        tracing::error!(%error, "a connection cannot be served");
        Self::unavailable()
    }
}

/// The end of a connection that is just being opened: what it needs is not there, unless it may not be had.
impl From<HookError> for Close {
    fn from(error: HookError) -> Self {
        match error {
            HookError::Refused { code: ErrorCode::Forbidden, detail } => Self::forbidden(&detail),
            HookError::Unavailable | HookError::Refused { .. } => Self::back_end_unavailable(),
        }
    }
}

impl From<StorageError> for ErrorMessage {
    fn from(error: StorageError) -> Self {
        tracing::error!(%error, "a message was not stored");
        Self::new(ErrorCode::Unavailable, "the server cannot store this now: try again")
    }
}
