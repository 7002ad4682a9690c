//! Where values come from, and which source wins.

use std::collections::BTreeMap;
use std::env::{self, VarError};
use std::fmt;
use std::fs;
use std::io::ErrorKind;

use super::setting::Setting;
use super::{ConfigError, SETTINGS};

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A flag on the command line.
    Flag,
    /// An environment variable.
    Environment,
    /// The file `.env` of the working directory.
    DotEnv,
    /// Nobody set it.
    Default,
    /// Made by the server itself, once, and kept in a file.
    Generated,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Flag => "flag",
            Self::Environment => "environment",
            Self::DotEnv => ".env",
            Self::Default => "default",
            Self::Generated => "generated",
        })
    }
}

/// Everything that sets values, each map by the names of the environment variables.
#[derive(Default, Clone)]
pub struct Sources {
    /// Flags of the command line; they win over the rest.
    pub flags: BTreeMap<String, String>,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// The `.env` file; it wins over the defaults only.
    pub dotenv: BTreeMap<String, String>,
}

impl Sources {
    /// The flags given, this process's environment, and `.env` in its working directory.
    pub fn of_process(flags: BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let dotenv = match fs::read_to_string(".env") {
            Ok(content) => read_dotenv(&content)?,
            Err(error) if error.kind() == ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(ConfigError::DotEnvUnreadable(error)),
        };
        Ok(Self { flags, environment: read_environment()?, dotenv })
    }

    /// The text for a setting from the strongest source that has one.
    pub(super) fn find(&self, setting: &Setting) -> Option<(&str, Source)> {
        let variable = setting.variable();
        [(&self.flags, Source::Flag), (&self.environment, Source::Environment), (&self.dotenv, Source::DotEnv)]
            .into_iter()
            .find_map(|(values, source)| Some((values.get(&variable)?.as_str(), source)))
    }
}

fn read_environment() -> Result<BTreeMap<String, String>, ConfigError> {
    let mut values = BTreeMap::new();
    for variable in SETTINGS.iter().map(Setting::variable) {
        match env::var(&variable) {
            Ok(value) => _ = values.insert(variable, value),
            Err(VarError::NotPresent) => {}
            Err(VarError::NotUnicode(_)) => return Err(ConfigError::NotUnicode { variable }),
        }
    }
    Ok(values)
}

/// Reads the content of a `.env` file. Of two lines with the same name the last counts.
fn read_dotenv(content: &str) -> Result<BTreeMap<String, String>, ConfigError> {
    let content = content.trim_start_matches('\u{feff}');
    dotenvy::from_read_iter(content.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| ConfigError::DotEnvLine { line: line_of(content, &error) })
}

/// Number of the line that could not be read. Its text stays out of the message: it may be a secret.
fn line_of(content: &str, error: &dotenvy::Error) -> usize {
    let dotenvy::Error::LineParse(text, _) = error else {
        return 1;
    };
    let first = text.lines().next().unwrap_or_default();
    let is_culprit =
        |line: &str| line.contains(first) && dotenvy::from_read_iter(line.as_bytes()).any(|item| item.is_err());
    content.lines().position(is_culprit).map_or(1, |index| index + 1)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn dotenv_knows_comments_quotes_export_and_a_byte_order_mark() {
        let content = "\u{feff}WEBSOCKET_PORT=1 # why\n\n# no\nexport DRIVER_GROUP=\"A B\"\n\
                       SECRET_KEY='a$b#c'\nWEBSOCKET_PORT=2\nDEBUG=True\n";
        let values = read_dotenv(content).unwrap();
        assert_eq!(values["WEBSOCKET_PORT"], "2");
        assert_eq!(values["DRIVER_GROUP"], "A B");
        assert_eq!(values["SECRET_KEY"], "a$b#c");
    }

    #[test]
    fn a_broken_line_of_dotenv_is_told_by_number_without_its_text() {
        let error = read_dotenv("A=1\nSECRET_KEY=two words\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            ".env: line 2 is not of the form NAME=value (quote a value that has spaces, # or $)"
        );
    }
}
