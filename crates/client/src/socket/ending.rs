//! What the end of a connection means for the next one.

use std::time::Duration;

use holodrive_protocol::socket::{ErrorCode, ErrorMessage};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};

use super::EndReason;
use crate::Error;

/// The longest wait that a server can ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_mins(5);

/// The end of a connection that the client did not want.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Lost {
    pub(super) verdict: Verdict,
    /// For people.
    pub(super) cause: String,
    /// How long the server asks to wait.
    pub(super) retry_after: Option<Duration>,
}

/// What to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Come back.
    Retry,
    /// Come back with another token.
    Unauthorized,
    /// There is no other token.
    NoToken,
    Forbidden,
    Refused,
    Finished,
}

impl Lost {
    pub(super) fn new(verdict: Verdict, cause: impl Into<String>) -> Self {
        Self { verdict, cause: cause.into(), retry_after: None }
    }

    pub(super) fn retry(cause: impl Into<String>) -> Self {
        Self::new(Verdict::Retry, cause)
    }

    /// From the close frame and the error message before it; either may be missing.
    pub(super) fn closed(frame: Option<&CloseFrame>, error: Option<&ErrorMessage>) -> Self {
        let code = frame.map(|frame| frame.code);
        let cause = match (error, frame) {
            (Some(error), _) => error.message.clone(),
            (None, Some(frame)) => format!("closed with {} {}", frame.code, frame.reason).trim_end().to_owned(),
            (None, None) => "the connection broke".to_owned(),
        };
        let retry_after = error.and_then(|error| error.retry_after_ms).map(Duration::from_millis);
        let retry_after = retry_after.map(|wait| wait.min(RETRY_AFTER_MAX));
        Self { verdict: verdict(code, error), cause, retry_after }
    }

    /// From a token source that gave no token.
    pub(super) fn without_token(error: &Error) -> Self {
        let verdict = if error.is_temporary() { Verdict::Retry } else { Verdict::NoToken };
        Self::new(verdict, error.to_string())
    }

    /// Why nothing follows; `None` when a new connection does. Whether there is another token is not known here.
    pub(super) fn end(&self) -> Option<EndReason> {
        let cause = self.cause.clone();
        match self.verdict {
            Verdict::Retry => None,
            Verdict::Unauthorized | Verdict::NoToken => Some(EndReason::Unauthorized(cause)),
            Verdict::Forbidden => Some(EndReason::Forbidden(cause)),
            Verdict::Refused => Some(EndReason::Refused(cause)),
            Verdict::Finished => Some(EndReason::Finished),
        }
    }
}

/// A new token may cure 4401 whatever `reconnect` says, for that is about the old one.
fn verdict(code: Option<CloseCode>, error: Option<&ErrorMessage>) -> Verdict {
    let unauthorized = |error: &ErrorMessage| matches!(error.code, ErrorCode::Unauthorized | ErrorCode::TokenExpired);
    match (code.map(u16::from), error) {
        (Some(4401), _) => Verdict::Unauthorized,
        (Some(4403), _) => Verdict::Forbidden,
        (_, Some(error)) if unauthorized(error) => Verdict::Unauthorized,
        (_, Some(ErrorMessage { code: ErrorCode::Forbidden, .. })) => Verdict::Forbidden,
        (_, Some(ErrorMessage { reconnect: Some(false), .. })) => Verdict::Refused,
        (Some(1000), _) => Verdict::Finished,
        _ => Verdict::Retry,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(code: u16, error: Option<(ErrorCode, bool)>) -> Lost {
        let frame = CloseFrame { code: code.into(), reason: "".into() };
        let error = error.map(|(code, reconnect)| ErrorMessage {
            reconnect: Some(reconnect),
            retry_after_ms: Some(1_500),
            ..ErrorMessage::new(code, "why")
        });
        Lost::closed(Some(&frame), error.as_ref())
    }

    #[test]
    fn codes_and_the_last_message_decide() {
        let cases = [
            (closed(4401, Some((ErrorCode::TokenExpired, true))), Verdict::Unauthorized),
            (closed(4401, Some((ErrorCode::Unauthorized, false))), Verdict::Unauthorized),
            (closed(4403, None), Verdict::Forbidden),
            (closed(4408, Some((ErrorCode::IdleTimeout, true))), Verdict::Retry),
            (closed(4429, Some((ErrorCode::RateLimited, false))), Verdict::Refused),
            (closed(1001, Some((ErrorCode::GoingAway, true))), Verdict::Retry),
            (closed(1000, None), Verdict::Finished),
            (closed(1011, None), Verdict::Retry),
            (Lost::closed(None, None), Verdict::Retry),
        ];
        for (lost, expected) in cases {
            assert_eq!(lost.verdict, expected, "{lost:?}");
        }
    }

    #[test]
    fn the_servers_wait_is_honoured_and_bounded() {
        let lost = closed(1001, Some((ErrorCode::GoingAway, true)));
        assert_eq!(lost.retry_after, Some(Duration::from_millis(1_500)));
        let error = ErrorMessage { retry_after_ms: Some(u64::MAX), ..ErrorMessage::new(ErrorCode::GoingAway, "") };
        assert_eq!(Lost::closed(None, Some(&error)).retry_after, Some(RETRY_AFTER_MAX));
    }
}
