//! The HTTP API.

mod accounts;
mod builder;
mod call;
mod chat;
mod devices;
mod driver;
mod notifications;
mod orders;

use std::{fmt, sync::Arc, time::Duration};

use reqwest::Url;

pub use self::builder::ApiBuilder;
use crate::{Backoff, Error, TokenSource};

/// The waits between two tries of one call.
const RETRY_BASE: Duration = Duration::from_millis(200);
const RETRY_CAP: Duration = Duration::from_secs(3);

/// A client of one server with one credential. Clones are cheap and share connections and tokens.
///
/// Every `POST` carries an `Idempotency-Key` made once for the call and kept over its retries: a call that is tried
/// again because its answer got lost takes effect once.
#[derive(Clone)]
pub struct Api {
    inner: Arc<Inner>,
}

struct Inner {
    http: reqwest::Client,
    base: Url,
    credential: Credential,
    retries: u32,
    seed: Option<u64>,
}

/// What says who calls.
#[derive(Clone)]
enum Credential {
    Anonymous,
    ApiKey(String),
    Tokens(Arc<dyn TokenSource>),
}

/// Which part of a list to fetch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageOf {
    /// `next` of the page before; none for the first page.
    pub cursor: Option<String>,
    /// Up to 200 entries; the server's default when none is given.
    pub limit: Option<u32>,
}

impl PageOf {
    /// The page after one whose `next` is given.
    pub fn after(cursor: impl Into<String>) -> Self {
        Self { cursor: Some(cursor.into()), limit: None }
    }

    fn pairs(&self) -> impl Iterator<Item = (&'static str, String)> {
        let limit = self.limit.map(|limit| ("limit", limit.to_string()));
        self.cursor.clone().map(|cursor| ("cursor", cursor)).into_iter().chain(limit)
    }
}

impl Api {
    /// Starts a client for the server at `base`, such as `https://api.example.com`.
    pub fn builder(base: impl Into<String>) -> ApiBuilder {
        ApiBuilder::new(base.into())
    }

    /// The same server and the same connections for another user.
    #[must_use]
    pub fn with_token_source(&self, source: impl TokenSource + 'static) -> Self {
        let Inner { http, base, retries, seed, .. } = &*self.inner;
        let credential = Credential::Tokens(Arc::new(source));
        let (http, base) = (http.clone(), base.clone());
        Self { inner: Arc::new(Inner { http, base, credential, retries: *retries, seed: *seed }) }
    }

    /// An access token other than `rejected`, as calls and sockets use it.
    pub async fn access_token(&self, rejected: Option<&str>) -> Result<String, Error> {
        match &self.inner.credential {
            Credential::Tokens(tokens) => tokens.token(rejected).await,
            Credential::Anonymous | Credential::ApiKey(_) => Err(Error::NoToken),
        }
    }

    /// The address of a socket: `path` below the base URL, `ws` for `http` and `wss` for `https`.
    pub(crate) fn socket_url(&self, path: &str) -> Url {
        let mut url = self.url(path);
        let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
        // Fails only between special and other schemes, and these are all special.
        let _ = url.set_scheme(scheme);
        url
    }

    /// `path` below the base URL.
    fn url(&self, path: &str) -> Url {
        let mut url = self.inner.base.clone();
        url.set_path(&format!("{}{path}", self.inner.base.path().trim_end_matches('/')));
        url
    }

    pub(crate) fn jitter_seed(&self) -> Option<u64> {
        self.inner.seed
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(RETRY_BASE, RETRY_CAP, self.inner.seed)
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").field("base", &self.inner.base.as_str()).finish_non_exhaustive()
    }
}
