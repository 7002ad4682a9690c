//! The configuration: flags, environment, `.env`, defaults, in this order.
//!
//! `table.rs` is the one place that names settings. A setting `order_offer_timeout` is the field of that
//! name in [`Config`], the variable `ORDER_OFFER_TIMEOUT` and the flag `--order-offer-timeout`. To add
//! one: a row in the table, then `cargo run -- config --reference > docs/configuration.md`.

mod error;
mod flags;
mod kinds;
mod parse;
mod reference;
mod resolver;
mod secret_key;
mod setting;
mod sources;
mod table;
mod values;

#[cfg(test)]
mod tests;

use std::{
    io,
    path::{Path, PathBuf},
    thread::available_parallelism,
};

use crate::hooks::HookName;

pub use error::ConfigError;
pub use flags::{flags, given_flags};
pub use parse::lifetime;
pub use reference::reference;
pub use resolver::Effective;
pub use setting::{Default, Setting, Shown};
pub use sources::{Source, Sources};
pub use table::{Config, SETTINGS};
pub use values::{DatabaseUrl, DispatchMode, DispatchStrategy, LogFormat, Secret, SessionEngine};

impl Config {
    /// Reads and checks every setting. Writes nothing: a secret key that has yet to be generated stays
    /// empty until [`Config::ensure_secret_key`].
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let mut config = Self::resolve(sources)?;
        if config.hooks_url.is_some() && config.hooks_secret.is_none() {
            return Err(ConfigError::NoHooksSecret);
        }
        if let Some(missing) = config.missing_for_apns() {
            return Err(ConfigError::IncompleteApns { missing });
        }
        if config.source_of("websocket_url") == Source::Default {
            config.announce_port(config.websocket_port);
        }
        if config.source_of("secret_key") == Source::Default {
            let generated = secret_key::read(&config.secret_key_file())?;
            config.note("secret_key", &masked(generated.as_ref()), Source::Generated);
            config.secret_key = generated.unwrap_or_default();
        }
        Ok(config)
    }

    /// A configuration for tests: a database of its own for each `folder`, any free port, a fixed secret key, the rest as
    /// by default; `overrides` are names of variables with their values. The database is in the folder, or in the PostgreSQL server
    /// that `HOLODRIVE_TEST_POSTGRES` names: the same tests run on both.
    pub fn for_tests(folder: &Path, overrides: &[(&str, &str)]) -> Result<Self, ConfigError> {
        let file = || format!("sqlite://{}", folder.join("holodrive.db").display());
        let database = std::env::var("HOLODRIVE_TEST_POSTGRES").unwrap_or_else(|_| file());
        let name = folder.file_name().map(|name| name.to_string_lossy().replace(|c: char| !c.is_alphanumeric(), "_"));
        let schema =
            if database.starts_with("postgres") { format!("test{}", name.unwrap_or_default()) } else { String::new() };
        let fixed = [
            ("DATABASE_URL", database.as_str()),
            ("DATABASE_SCHEMA", schema.as_str()),
            ("DATABASE_READERS", "2"),
            ("WEBSOCKET_PORT", "0"),
            ("SECRET_KEY", "a secret key for tests, which nothing else may use"),
        ];
        let all = fixed.iter().chain(overrides);
        let flags = all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self::load(&Sources { flags, ..Sources::default() })
    }

    /// Generates the secret key where none is set and none was generated before.
    pub fn ensure_secret_key(&mut self) -> Result<(), ConfigError> {
        if self.secret_key.expose().is_empty() {
            self.secret_key = secret_key::read_or_create(&self.secret_key_file())?;
            self.note("secret_key", &masked(Some(&self.secret_key)), Source::Generated);
        }
        Ok(())
    }

    /// Where a generated secret key is kept.
    pub fn secret_key_file(&self) -> PathBuf {
        secret_key::file_in(self.database_url.data_dir())
    }

    /// Tells clients to come to this port of the listening host, unless `WEBSOCKET_URL` is set.
    pub fn announce_port(&mut self, port: u16) {
        if self.source_of("websocket_url") == Source::Default {
            let host = &self.websocket_host;
            let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
            self.websocket_url = format!("{host}:{port}");
            self.note("websocket_url", &self.websocket_url.clone(), Source::Default);
        }
    }

    /// How many event loops there are: `EVENT_LOOPS`, or one for each core.
    pub fn loops(&self) -> io::Result<usize> {
        self.event_loops.map_or_else(|| available_parallelism().map(usize::from), Ok)
    }

    /// Whether there is a way to tell a driver whose app sleeps of an offer.
    pub fn pushes(&self) -> bool {
        let webhook = self.hooks_url.is_some() && self.hooks.contains(&HookName::Push);
        webhook || self.fcm_credentials.is_some() || self.apns_key.is_some()
    }

    fn missing_for_apns(&self) -> Option<&'static str> {
        let parts = [
            ("APNS_KEY", self.apns_key.is_some()),
            ("APNS_KEY_ID", self.apns_key_id.is_some()),
            ("APNS_TEAM_ID", self.apns_team_id.is_some()),
            ("APNS_TOPIC", self.apns_topic.is_some()),
        ];
        let some_are_set = parts.iter().any(|(_, is_set)| *is_set);
        parts.into_iter().find(|(_, is_set)| some_are_set && !is_set).map(|(name, _)| name)
    }

    /// Every setting in effect, in the order of the table, fit to be shown.
    pub fn effective(&self) -> &[Effective] {
        &self.effective
    }

    /// Where the value of a field came from.
    pub fn source_of(&self, field: &str) -> Source {
        let found = self.effective.iter().find(|effective| effective.setting.field == field);
        found.map_or(Source::Default, |effective| effective.source)
    }

    fn note(&mut self, field: &str, value: &str, source: Source) {
        for effective in self.effective.iter_mut().filter(|e| e.setting.field == field) {
            value.clone_into(&mut effective.value);
            effective.source = source;
        }
    }
}

fn masked(key: Option<&Secret>) -> String {
    Shown::Masked.apply(key.map_or("", Secret::expose))
}
