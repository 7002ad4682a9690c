//! What a message may be.

use holodrive_protocol::{
    chat::{CLIENT_ID_CHARS_MAX, MESSAGE_CHARS_MAX},
    socket::{ErrorCode, ErrorMessage},
};

use crate::api::Fields;

/// A message that may be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// 1 to 4,000 characters, as they were sent.
    pub(super) message: String,
    /// Up to 64 characters. An empty one is none: it would make all messages of its sender the same.
    pub(super) client_id: Option<String>,
}

/// Why a message cannot be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DraftProblem {
    /// There is no text.
    #[error("the message is empty")]
    Empty,
    /// PostgreSQL cannot store it.
    #[error("null characters are not allowed")]
    HoldsNul,
    /// The text is too long.
    #[error("the message is longer than {MESSAGE_CHARS_MAX} characters")]
    TooLong,
    /// The client's id is too long.
    #[error("the client_id is longer than {CLIENT_ID_CHARS_MAX} characters")]
    ClientIdTooLong,
}

impl Draft {
    /// Checks the lengths.
    ///
    /// # Errors
    /// What is wrong.
    pub fn new(message: String, client_id: Option<String>) -> Result<Self, DraftProblem> {
        let exceeds = |text: &str, limit| text.chars().nth(limit).is_some();
        if message.is_empty() {
            return Err(DraftProblem::Empty);
        }
        if exceeds(&message, MESSAGE_CHARS_MAX) {
            return Err(DraftProblem::TooLong);
        }
        let client_id = client_id.filter(|id| !id.is_empty());
        if message.contains('\0') || client_id.as_deref().is_some_and(|id| id.contains('\0')) {
            return Err(DraftProblem::HoldsNul);
        }
        if client_id.as_deref().is_some_and(|id| exceeds(id, CLIENT_ID_CHARS_MAX)) {
            return Err(DraftProblem::ClientIdTooLong);
        }
        Ok(Self { message, client_id })
    }

    /// Reads the body of a request; what is wrong is noted there.
    pub(super) fn read(fields: &mut Fields) -> Self {
        let message = fields.text("message", 1..=MESSAGE_CHARS_MAX);
        let client_id = fields.optional_text("client_id", 0..=CLIENT_ID_CHARS_MAX).filter(|id| !id.is_empty());
        Self { message, client_id }
    }
}

impl From<DraftProblem> for ErrorMessage {
    fn from(problem: DraftProblem) -> Self {
        let code = match problem {
            DraftProblem::Empty | DraftProblem::HoldsNul => ErrorCode::InvalidMessage,
            DraftProblem::TooLong | DraftProblem::ClientIdTooLong => ErrorCode::TooLong,
        };
        Self::new(code, problem.to_string())
    }
}
