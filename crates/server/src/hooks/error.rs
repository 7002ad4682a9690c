use holodrive_protocol::socket::{ErrorCode, ErrorMessage};

/// Why the back end did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HookError {
    /// It could not be asked, or has failed: later it may work.
    #[error("the back end does not answer at the moment: try again")]
    Unavailable,
    /// It refused, and will again; the text says why.
    #[error("{detail}")]
    Refused {
        /// What the client is told: `forbidden`, `not_found` or `invalid_message`.
        code: ErrorCode,
        /// For people.
        detail: String,
    },
}

impl From<HookError> for ErrorMessage {
    fn from(error: HookError) -> Self {
        let detail = error.to_string();
        match error {
            HookError::Unavailable => Self::new(ErrorCode::Unavailable, detail),
            HookError::Refused { code, .. } => Self::new(code, detail),
        }
    }
}
