//! A database of its own for each test, with a clock that stands still.

use std::sync::{Arc, LazyLock};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use holodrive::{
    accounts::{Accounts, AccountsOptions},
    clock::{Clock, ManualClock},
    config::{Config, DatabaseUrl},
    storage::{Storage, StorageError, StorageOptions, TimeSource, Tx, Value, datetime},
    telemetry::Metrics,
};
use holodrive_protocol::{Timestamp, UserId};
use tempfile::TempDir;

static VECTORS: LazyLock<serde_json::Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../data/django_vectors.json")).unwrap());

/// A moment for vectors that hold at any time between 2026 and 2099.
pub(crate) const NOW: &str = "2027-01-01T00:00:00+00:00";

/// The only user of [`Site::custom`].
pub(crate) const CUSTOM_USER: &str = "6f1c1a52-93a5-4f0e-8d0b-0a4f9f3f2b11";

pub(crate) fn vectors(path: &str) -> &'static [serde_json::Value] {
    VECTORS.pointer(path).unwrap().as_array().unwrap()
}

pub(crate) fn users() -> &'static [serde_json::Value] {
    vectors("/users")
}

/// The payload of a token, unverified.
pub(crate) fn claims(token: &str) -> serde_json::Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

pub(crate) struct Site {
    pub(crate) accounts: Accounts,
    storage: Storage,
    clock: Arc<ManualClock>,
    _folder: TempDir,
}

impl Site {
    /// An empty database, under the vectors' keys.
    pub(crate) fn new(settings: &[(&str, &str)]) -> Self {
        Self::open(tempfile::tempdir().unwrap(), settings)
    }

    /// The vectors' users, under the vectors' keys.
    pub(crate) async fn with_vector_users() -> Self {
        let site = Self::new(&[]);
        site.add_vector_users().await;
        site
    }

    /// A Django project with its own user model: UUID keys, e-mail addresses as login names.
    pub(crate) async fn custom() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = [
            ("AUTH_USER_TABLE", "crm_rider"),
            ("AUTH_USER_GROUPS_TABLE", "crm_rider_groups"),
            ("AUTH_USER_GROUPS_USER_COLUMN", "rider_id"),
            ("AUTH_LOGIN_FIELD", "email"),
        ];
        make_custom_tables(&Config::for_tests(folder.path(), &settings).unwrap()).await;
        let site = Self::open(folder, &settings);
        let id = Value::from(CUSTOM_USER.parse::<UserId>().unwrap());
        let password = users()[4]["password"].as_str().unwrap();
        let rider = [id.clone(), password.into()];
        site.run("INSERT INTO crm_rider VALUES ($1, $2, 'rider@example.com', '', '', FALSE, TRUE)", rider).await;
        site.run("INSERT INTO auth_group VALUES (3, 'Driver')", []).await;
        site.run("INSERT INTO crm_rider_groups VALUES (1, $1, 3)", [id]).await;
        site
    }

    fn open(folder: TempDir, settings: &[(&str, &str)]) -> Self {
        let keys = &VECTORS["settings"];
        let secret = keys["SECRET_KEY"].as_str().unwrap();
        let fallback = keys["SECRET_KEY_FALLBACKS"][0].as_str().unwrap();
        let all = [&[("SECRET_KEY", secret), ("SECRET_KEY_FALLBACKS", fallback)], settings].concat();
        let config = Config::for_tests(folder.path(), &all).unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp::from_micros(0)));
        let options = StorageOptions { time: TimeSource::Given, ..StorageOptions::from(&config) };
        let storage = Storage::open(&options, clock.clone(), Arc::new(Metrics::default())).unwrap();
        let accounts = Accounts::new(storage.clone(), AccountsOptions::from(&config)).unwrap();
        let site = Self { accounts, storage, clock, _folder: folder };
        site.set_now(NOW);
        site
    }

    pub(crate) async fn add_vector_users(&self) {
        for user in users() {
            let (id, text) = (user["id"].as_i64().unwrap(), |name: &str| user[name].as_str().unwrap());
            self.run(
                "INSERT INTO auth_user (id, password, is_superuser, username, first_name, last_name, email, is_staff, is_active,
                 date_joined) VALUES ($1, $2, FALSE, $3, '', '', '', FALSE, $4, '2025-10-09 08:53:20')",
                [id.into(), text("password").into(), text("username").into(), user["is_active"].as_bool().unwrap().into()],
            )
            .await;
            for group in user["groups"].as_array().unwrap() {
                let group = group.as_str().unwrap();
                self.run("INSERT INTO auth_group (name) VALUES ($1) ON CONFLICT DO NOTHING", [group.into()]).await;
                self.run(
                    "INSERT INTO auth_user_groups (user_id, group_id) SELECT $1, id FROM auth_group WHERE name = $2",
                    [id.into(), group.into()],
                )
                .await;
            }
        }
    }

    /// Asks within a transaction, as a feature does.
    pub(crate) async fn within<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Accounts, &mut Tx<'_>) -> Result<T, StorageError> + Send + 'static,
    ) -> T {
        let accounts = self.accounts.clone();
        self.storage.read(move |tx| look(&accounts, tx)).await.unwrap()
    }

    /// Does to the database what Django would do.
    pub(crate) async fn run<const N: usize>(&self, sql: &'static str, params: [Value; N]) {
        let done: Result<usize, StorageError> = self.storage.write(move |tx| tx.execute(sql, &params)).await;
        done.unwrap();
    }

    pub(crate) fn set_now(&self, now: &str) {
        self.set_now_micros(now.parse::<Timestamp>().unwrap().as_micros());
    }

    pub(crate) fn set_now_micros(&self, micros: i64) {
        self.clock.set(Timestamp::from_micros(micros));
    }

    pub(crate) fn now_micros(&self) -> i64 {
        self.clock.now().as_micros()
    }
}

/// The tables that Django's migrations make for such a project, in the database of these settings.
async fn make_custom_tables(config: &Config) {
    const TABLES: &str =
        "CREATE TABLE crm_rider (id {uuid} NOT NULL PRIMARY KEY, password VARCHAR(128) NOT NULL, email VARCHAR(254)
         NOT NULL UNIQUE, first_name VARCHAR(150) NOT NULL, last_name VARCHAR(150) NOT NULL, is_staff BOOL NOT NULL,
         is_active BOOL NOT NULL);
         CREATE TABLE crm_rider_groups (id INTEGER NOT NULL PRIMARY KEY, rider_id {uuid} NOT NULL, group_id INTEGER
         NOT NULL, UNIQUE (rider_id, group_id));
         CREATE TABLE auth_group (id INTEGER NOT NULL PRIMARY KEY, name VARCHAR(150) NOT NULL UNIQUE);
         CREATE TABLE django_session (session_key VARCHAR(40) NOT NULL PRIMARY KEY, session_data TEXT NOT NULL,
         expire_date {datetime} NOT NULL)";
    let tables = |uuid, datetime| TABLES.replace("{uuid}", uuid).replace("{datetime}", datetime);
    match &config.database_url {
        DatabaseUrl::Sqlite(file) => {
            rusqlite::Connection::open(file).unwrap().execute_batch(&tables("CHAR(32)", "DATETIME")).unwrap();
        }
        DatabaseUrl::Postgres(url) => {
            let (client, connection) = tokio_postgres::connect(url.expose(), tokio_postgres::NoTls).await.unwrap();
            tokio::spawn(connection);
            let schema = config.database_schema.as_deref().unwrap();
            let tables = tables("UUID", "TIMESTAMP WITH TIME ZONE");
            let sql = format!("CREATE SCHEMA \"{schema}\"; SET search_path TO \"{schema}\"; {tables}");
            client.batch_execute(&sql).await.unwrap();
        }
    }
}

/// A row of `django_session`, as the vectors have it.
pub(crate) fn session_row(row: &serde_json::Value) -> [Value; 3] {
    let text = |column: &str| row[column].as_str().unwrap();
    let expire_date = datetime::from_sqlite(text("expire_date_sqlite")).unwrap();
    [text("session_key").into(), text("session_data").into(), Value::DateTime(expire_date)]
}
