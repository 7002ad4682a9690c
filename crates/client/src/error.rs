//! What can go wrong with a call.

use holodrive_protocol::http::ErrorBody;

/// Why a call has no answer to give.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The base URL cannot be used.
    #[error("{0}: expected an address such as http://127.0.0.1:9000")]
    Url(String),
    /// The server was not reached, or its answer did not arrive. Retries are already over.
    #[error("no answer from the server: {0}")]
    Transport(#[source] reqwest::Error),
    /// The server refused.
    #[error("{status}: {}", body.detail)]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What the server says about it.
        body: Box<ErrorBody>,
    },
    /// The answer is not what the contract says: not this kind of server, or a much newer one.
    #[error("unexpected answer to {call}: {reason}")]
    Unexpected {
        /// Which call.
        call: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The server no longer takes the access token, and the token source has no other.
    #[error("the access token does not count any more: log in again")]
    TokenRejected,
    /// The call needs a token, and the client was built without a credential that gives one.
    #[error("no access token: build the client with `login`, `token` or `token_source`")]
    NoToken,
}

impl Error {
    /// The server's word for the refusal, such as `offer_expired`.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { body, .. } => Some(&body.code),
            _ => None,
        }
    }

    /// The HTTP status of a refusal.
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether the same call may succeed later without a change.
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::Transport(_) | Self::Refused { status: 429 | 500..=599, .. })
    }
}
