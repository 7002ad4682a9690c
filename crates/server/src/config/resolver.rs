//! Takes each setting's text from its source, reads it, and keeps where it came from.

use super::kinds::Kind;
use super::setting::{Setting, Shown};
use super::{ConfigError, SETTINGS, Source, Sources};

/// One setting as it is in effect, fit to be shown.
#[derive(Debug, Clone)]
pub struct Effective {
    /// Its row in the table.
    pub setting: &'static Setting,
    /// Its value as text, with secrets masked.
    pub value: String,
    /// Where the value came from.
    pub source: Source,
}

/// Reads the settings of the table, in its order.
pub(super) struct Resolver<'a> {
    sources: &'a Sources,
    effective: Vec<Effective>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(sources: &'a Sources) -> Self {
        Self { sources, effective: Vec::with_capacity(SETTINGS.len()) }
    }

    /// The next setting of the table, with a default that is read like any other text.
    pub(super) fn next<T>(&mut self, kind: &Kind<T>, default: &str) -> Result<T, ConfigError> {
        let setting = &SETTINGS[self.effective.len()];
        let (text, source) = self.sources.find(setting).unwrap_or((default, Source::Default));
        self.read(setting, kind, text, source)
    }

    /// The next setting of the table; while no source sets it, an empty value that stands for one to be
    /// worked out later.
    pub(super) fn next_derived<T: Default>(&mut self, kind: &Kind<T>) -> Result<T, ConfigError> {
        let setting = &SETTINGS[self.effective.len()];
        if let Some((text, source)) = self.sources.find(setting) {
            return self.read(setting, kind, text, source);
        }
        self.record(setting, String::new(), Source::Default);
        Ok(T::default())
    }

    fn read<T>(
        &mut self,
        setting: &'static Setting,
        kind: &Kind<T>,
        text: &str,
        source: Source,
    ) -> Result<T, ConfigError> {
        let text = if kind.shown == Shown::Masked { text } else { text.trim() };
        let value = kind.shown.apply(text);
        let Some(read) = (kind.parse)(text) else {
            return Err(ConfigError::Malformed { setting, origin: source, value });
        };
        self.record(setting, value, source);
        Ok(read)
    }

    fn record(&mut self, setting: &'static Setting, value: String, source: Source) {
        self.effective.push(Effective { setting, value, source });
    }

    pub(super) fn finish(self) -> Vec<Effective> {
        self.effective
    }
}
