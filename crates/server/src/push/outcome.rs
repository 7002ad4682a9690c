use std::{path::PathBuf, time::Duration};

use holodrive_protocol::Timestamp;

use crate::telemetry::PushOutcome;

/// Why pushes cannot be sent with these settings. Every message is one line, and holds no secret.
#[derive(Debug, thiserror::Error)]
pub enum PushSetupError {
    /// The file of a key cannot be read.
    #[error("{setting}: {} cannot be read: {problem}", .file.display())]
    Unreadable {
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        file: PathBuf,
        /// What the system says.
        problem: std::io::Error,
    },
    /// It holds something else.
    #[error("{setting}: {} {problem}", .file.display())]
    Malformed {
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// There is no HTTP client, or an address is none.
    #[error("{setting}: {problem}")]
    NoClient {
        /// The setting.
        setting: &'static str,
        /// What is wrong.
        problem: String,
    },
}

/// What came of one attempt. Reasons hold no token: they are logged, and stand in the order's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The service took it.
    Sent,
    /// The device is not reached under this token any more.
    Unregistered {
        /// As far as the service says since when: a device that was registered later stays.
        since: Option<Timestamp>,
        reason: String,
    },
    /// Another attempt would fail, too.
    Failed(String),
    /// Another attempt may work, but not before so long has passed, where the service says so.
    Delayed { after: Option<Duration>, reason: String },
}

impl Outcome {
    pub(super) fn delayed(reason: impl Into<String>) -> Self {
        Self::Delayed { after: None, reason: reason.into() }
    }

    /// Its turn came when nobody wanted the push any more.
    pub(super) fn too_late() -> Self {
        Self::delayed("its turn came too late")
    }

    /// As it is counted.
    pub(super) const fn label(&self) -> PushOutcome {
        match self {
            Self::Sent => PushOutcome::Sent,
            Self::Unregistered { .. } => PushOutcome::Unregistered,
            Self::Failed(_) => PushOutcome::Failed,
            Self::Delayed { .. } => PushOutcome::Delayed,
        }
    }
}
