//! What can be wrong with a configuration. Every message is one line.

use std::io;
use std::path::PathBuf;

use super::{Setting, Source};

/// Longest part of a malformed value that a message repeats, in characters.
const LONGEST_EXCERPT: usize = 80;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A value is not what its setting allows.
    #[error("{} ({origin}) is {}, but must be {}", .setting.variable(), excerpt(.value), .setting.expected)]
    Malformed {
        /// The setting.
        setting: &'static Setting,
        /// Who set it.
        origin: Source,
        /// The text, masked where the setting is secret.
        value: String,
    },
    /// An environment variable is not UTF-8.
    #[error("{variable} (environment) is not valid UTF-8")]
    NotUnicode {
        /// Its name.
        variable: String,
    },
    /// `.env` is there but cannot be read.
    #[error(".env: cannot be read: {0}")]
    DotEnvUnreadable(io::Error),
    /// `.env` has a line that is not understood.
    #[error(".env: line {line} is not of the form NAME=value (quote a value that has spaces, # or $)")]
    DotEnvLine {
        /// Its number, from 1.
        line: usize,
    },
    /// Hooks could be asked by anybody.
    #[error("HOOKS_URL is set, so HOOKS_SECRET must be, too: the same as in the back end")]
    NoHooksSecret,
    /// A part of what APNs asks for is missing.
    #[error("{missing} is not set: APNS_KEY, APNS_KEY_ID, APNS_TEAM_ID and APNS_TOPIC belong together")]
    IncompleteApns {
        /// The setting.
        missing: &'static str,
    },
    /// The generated secret key cannot be read or written.
    #[error("{}: {problem} (or set SECRET_KEY)", .file.display())]
    SecretKeyFile {
        /// Where it is kept.
        file: PathBuf,
        /// What went wrong.
        problem: io::Error,
    },
}

fn excerpt(value: &str) -> String {
    let excerpt: String = value.chars().take(LONGEST_EXCERPT).collect();
    let rest = if excerpt.len() < value.len() { "…" } else { "" };
    format!("{excerpt:?}{rest}")
}
