//! A fresh installation to load: database, settings, users and their tokens.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use holodrive::{
    accounts::{AccountsOptions, jwt::Jwt},
    clock::{Clock, SystemClock},
    config::{Config, Sources},
    server::open_storage,
    storage::{StorageError, Tx, Value},
    telemetry::Metrics,
};
use holodrive_protocol::{Timestamp, UserId};
use tempfile::TempDir;

use crate::server::Place;

/// What our own order-making back end shows.
pub(crate) const API_KEY: &str = "holodrive-bench";
/// What tokens are signed with.
pub(crate) const SECRET: &str = "holodrive-bench: known to everybody, and good for one run on this machine";
/// Longer than any run.
const TOKEN_LIFETIME: Duration = Duration::from_secs(86_400);

/// Settings, by the names of their variables.
pub(crate) type Settings = BTreeMap<String, String>;

/// A user who can connect.
#[derive(Clone)]
pub(crate) struct Member {
    pub(crate) id: UserId,
    /// An access token.
    pub(crate) token: String,
}

/// A database that nobody used before, in a folder that goes with it.
pub(crate) struct Site {
    folder: TempDir,
    settings: Settings,
    config: Config,
}

impl Site {
    /// Prepares a database in a new folder at `place`, or in a new schema; `changes` are settings that differ from the
    /// defaults.
    pub(crate) fn prepare(place: &Place, changes: &[(&str, String)]) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("holodrive-bench-").tempdir_in(&place.dir)?;
        let file = || format!("sqlite://{}", folder.path().join("holodrive.db").display());
        let own = [
            ("DATABASE_URL", place.postgres.clone().unwrap_or_else(file)),
            ("DATABASE_SCHEMA", schema(folder.path())),
            ("WEBSOCKET_PORT", "0".to_owned()),
            ("SECRET_KEY", SECRET.to_owned()),
            ("API_KEYS", API_KEY.to_owned()),
            ("DRAIN_TIMEOUT", "0".to_owned()),
            ("LOG_LEVEL", "warn".to_owned()),
        ];
        let all = own.iter().chain(changes);
        let settings: Settings = all.map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let config = Config::load(&Sources { flags: settings.clone(), ..Sources::default() })?;
        Ok(Self { folder, settings, config })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Adds users, all in `group` if one is given. Nobody can log in with a password: a hash for each would take longer
    /// than the run.
    pub(crate) async fn add_members(
        &self,
        name: &'static str,
        count: usize,
        group: Option<&'static str>,
    ) -> anyhow::Result<Vec<Member>> {
        let storage = open_storage(&self.config, Arc::new(SystemClock), Arc::new(Metrics::new()))?;
        let insert = move |tx: &mut Tx<'_>| (0..count).map(|n| insert(tx, &format!("{name}{n}"), group)).collect();
        let ids: Result<Vec<UserId>, StorageError> = storage.write(insert).await;
        let jwt = Jwt::new(AccountsOptions::from(&self.config).jwt)?;
        let now = storage.clock().now();
        ids?.into_iter().map(|id| member(&jwt, id, now)).collect()
    }

    /// Access tokens for the users 1 to `count` of another server.
    pub(crate) fn tokens(&self, count: usize) -> anyhow::Result<Vec<Arc<str>>> {
        let (jwt, now) = (Jwt::new(AccountsOptions::from(&self.config).jwt)?, SystemClock.now());
        (1..=i64::try_from(count)?).map(|id| Ok(member(&jwt, UserId::Int(id), now)?.token.into())).collect()
    }
}

/// The folder's own name, as far as an identifier may have it; the embedded database has no schemas, and does not ask.
fn schema(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    name.replace(|character: char| !character.is_ascii_alphanumeric(), "_")
}

/// Django's mark of a password that nothing matches.
const UNUSABLE_PASSWORD: &str = "!";

fn member(jwt: &Jwt, id: UserId, now: Timestamp) -> anyhow::Result<Member> {
    let token = jwt.issue_access(&id.to_string(), UNUSABLE_PASSWORD, TOKEN_LIFETIME, now)?;
    Ok(Member { id, token })
}

fn insert(tx: &mut Tx<'_>, username: &str, group: Option<&str>) -> Result<UserId, StorageError> {
    let user = "INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, \
        is_active, date_joined) VALUES ($1, FALSE, $2, '', '', '', FALSE, TRUE, '2026-01-01 00:00:00') RETURNING id";
    let row = tx.query_one(user, &[UNUSABLE_PASSWORD.into(), username.into()])?;
    let id: i64 = row.ok_or(StorageError::Unavailable)?.first()?;
    if let Some(group) = group {
        tx.execute("INSERT INTO auth_group (name) VALUES ($1) ON CONFLICT DO NOTHING", &[group.into()])?;
        let join = "INSERT INTO auth_user_groups (user_id, group_id) SELECT $1, id FROM auth_group WHERE name = $2";
        tx.execute(join, &[Value::from(id), group.into()])?;
    }
    Ok(UserId::Int(id))
}
