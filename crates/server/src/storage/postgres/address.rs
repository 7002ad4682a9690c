//! Where the server is, and how it is spoken to.

use std::{sync::Arc, time::Duration};

use tokio_postgres::{Client, Config, Connection, Socket, tls::MakeTlsConnect};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::tls;
use crate::{
    config::Secret,
    storage::{StorageError, StorageOptions},
};

/// Shown in `pg_stat_activity`.
const APPLICATION: &str = "holodrive";
/// Silence after which the system asks whether the server is still there, where the network may lose that.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// How long it may take at the most until there is a connection, however long statements may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// What an encrypted connection goes over.
pub(super) type Stream = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;

/// A server, and the rules of every connection to it.
#[derive(Clone)]
pub(in crate::storage) struct Address {
    config: Config,
    tls: MakeRustlsConnect,
    /// How long one exchange with the server may take.
    pub(super) limit: Duration,
    /// The schema of our own tables, where it is not the default one.
    pub(super) schema: Option<Arc<str>>,
}

impl Address {
    pub(in crate::storage) fn new(url: &Secret, options: &StorageOptions) -> Result<Self, StorageError> {
        let (url, tls) = tls::split(url.expose())?;
        let mut config: Config = url
            .parse()
            .map_err(|error: tokio_postgres::Error| StorageError::Setup(format!("DATABASE_URL: {}", text(&error))))?;
        config.ssl_mode(tls.mode);
        config
            .connect_timeout(options.timeout.min(CONNECT_LIMIT))
            .keepalives_idle(KEEPALIVE)
            .tcp_user_timeout(options.timeout * 2);
        if config.get_application_name().is_none() {
            config.application_name(APPLICATION);
        }
        Ok(Self {
            config,
            tls: tls.connector,
            limit: options.timeout,
            schema: options.schema.as_deref().map(Into::into),
        })
    }

    pub(super) async fn connect(&self) -> Result<(Client, Connection<Socket, Stream>), tokio_postgres::Error> {
        self.config.connect(self.tls.clone()).await
    }

    /// How long it may take until there is a connection.
    pub(super) fn connect_limit(&self) -> Duration {
        self.limit.min(CONNECT_LIMIT)
    }

    /// What every connection is told first. A node that freezes with the lock of the writers in its hand loses it.
    pub(super) fn preamble(&self) -> String {
        // To PostgreSQL, 0 would be no limit.
        let limit = self.limit.as_millis().max(1);
        let mut preamble = format!(
            "SET statement_timeout = {limit}; SET lock_timeout = {limit}; SET idle_in_transaction_session_timeout = {idle}; \
             SET TIME ZONE 'UTC'; SET client_min_messages = warning; \
             SELECT set_config('synchronous_commit', 'on', FALSE) WHERE current_setting('synchronous_commit') = 'off';",
            idle = limit * 2,
        );
        if let Some(schema) = &self.schema {
            let set =
                format!("SELECT set_config('search_path', '\"{schema}\",' || current_setting('search_path'), FALSE);");
            preamble.push_str(&set);
        }
        preamble
    }
}

/// What went wrong: in the server's own words, or with its cause.
pub(super) fn text(error: &tokio_postgres::Error) -> String {
    match (error.as_db_error(), std::error::Error::source(error)) {
        (Some(said), _) => said.message().to_owned(),
        (None, Some(cause)) => format!("{error}: {cause}"),
        (None, None) => error.to_string(),
    }
}
