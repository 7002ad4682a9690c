//! A server of its own for each test.

use std::{net::SocketAddr, sync::Arc};

use axum::{Router, extract::State, response::Response, routing::post};
use holodrive::{
    api::{ApiError, Command, Reply},
    app::App,
    config::Config,
    server::Server,
    storage::{StorageError, Tx, Value},
};
use reqwest::{Client, RequestBuilder};
use serde_json::json;
use tempfile::TempDir;

pub(crate) const PASSWORD: &str = "a good password";
/// [`PASSWORD`] under one iteration: nobody has to wait for it.
const HASH: &str = "pbkdf2_sha256$1$salt$AZTO8ToSedVaZlPJZR3s9vj8VQhURB9P+ARENDy7Vcw=";
pub(crate) const API_KEY: &str = "key-of-a-trusted-back-end";

pub(crate) struct Site {
    pub(crate) server: Server,
    pub(crate) app: Arc<App>,
    pub(crate) address: SocketAddr,
    pub(crate) http: Client,
    _folder: TempDir,
}

impl Site {
    pub(crate) async fn new(settings: &[(&str, &str)]) -> Self {
        Self::with_routes(settings, Router::new()).await
    }

    pub(crate) async fn with_routes(settings: &[(&str, &str)], routes: Router<Arc<App>>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = [&[("API_KEYS", API_KEY), ("LOGIN_RATE", "0")], settings].concat();
        let config = Config::for_tests(folder.path(), &settings).unwrap();
        let server = Server::start_with(config, routes).await.unwrap();
        let (app, address) = (Arc::clone(server.app()), server.address());
        Self { server, app, address, http: Client::new(), _folder: folder }
    }

    /// Adds an active user with [`PASSWORD`], and gives his key.
    pub(crate) async fn user(&self, name: &'static str) -> i64 {
        self.write(move |tx| {
            let sql = "INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, \
                       is_active, date_joined) VALUES ($1, FALSE, $2, '', '', '', FALSE, TRUE, '2025-10-09 08:53:20') \
                       RETURNING id";
            tx.query_one(sql, &[HASH.into(), name.into()])?.unwrap().first()
        })
        .await
    }

    pub(crate) async fn execute<const N: usize>(&self, sql: &'static str, params: [Value; N]) {
        self.write(move |tx| tx.execute(sql, &params)).await;
    }

    pub(crate) async fn count(&self, sql: &'static str) -> i64 {
        self.write(move |tx| tx.query_one(sql, &[])?.unwrap().first()).await
    }

    async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Tx<'_>) -> Result<T, StorageError> + Send + 'static,
    ) -> T {
        self.app.storage.write(job).await.unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(self.url(path))
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.http.post(self.url(path))
    }

    pub(crate) fn delete(&self, path: &str) -> RequestBuilder {
        self.http.delete(self.url(path))
    }

    /// An access and a refresh token of a user.
    pub(crate) async fn tokens(&self, name: &str) -> (String, String) {
        let login = json!({ "username": name, "password": PASSWORD });
        let (_, body) = answer(self.post("/api/token/").json(&login)).await;
        (body["access"].as_str().unwrap().to_owned(), body["refresh"].as_str().unwrap().to_owned())
    }

    /// Sends bytes as they are and reads until the server closes the connection.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut stream = tokio::net::TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // A server that closes with unread input makes the kernel reset the connection; what came before counts.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// Status and JSON body; null where there is no body.
pub(crate) async fn answer(request: RequestBuilder) -> (u16, serde_json::Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let body = response.bytes().await.unwrap();
    if body.is_empty() {
        return (status, serde_json::Value::Null);
    }
    (status, serde_json::from_slice(&body).unwrap())
}

/// The value of a cookie that an answer sets.
pub(crate) fn cookie(response: &reqwest::Response, name: &str) -> Option<String> {
    let set = response.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    let prefix = format!("{name}=");
    set.filter_map(|cookie| cookie.strip_prefix(&prefix)).map(|rest| rest.split(';').next().unwrap().to_owned()).next()
}

/// An unsafe endpoint that stores what it is given: `POST /api/things`.
pub(crate) fn things() -> Router<Arc<App>> {
    Router::new().route("/api/things", post(add_thing))
}

async fn add_thing(State(app): State<Arc<App>>, mut command: Command) -> Result<Response, ApiError> {
    let title = command.fields.text("title", 1..=200);
    let outcome = command.fields.optional_text("outcome", 1..=20);
    command.fields.finish()?;
    command
        .commit(&app.storage, move |tx| {
            tx.execute("CREATE TABLE IF NOT EXISTS thing (id BIGINT PRIMARY KEY, title TEXT NOT NULL)", &[])?;
            let row =
                tx.query_one("INSERT INTO thing SELECT COUNT(*) + 1, $1 FROM thing RETURNING id", &[title.into()])?;
            let id: i64 = row.ok_or(StorageError::Unavailable)?.first()?;
            match outcome.as_deref() {
                Some("conflict") => Err(ApiError::conflict("taken", &format!("thing {id} is taken"))),
                Some("unavailable") => Err(ApiError::unavailable()),
                _ => Ok(Reply::created(json!({ "id": id }))),
            }
        })
        .await
}
