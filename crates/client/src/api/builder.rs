//! How a client is put together.

use std::{sync::Arc, time::Duration};

use reqwest::Url;

use super::{Api, Credential, Inner};
use crate::{Error, FixedToken, Login, TokenSource};

/// Settings of an [`Api`]; made by [`Api::builder`]. The last credential given counts.
pub struct ApiBuilder {
    base: String,
    http: Option<reqwest::Client>,
    credential: Chosen,
    timeout: Duration,
    retries: u32,
    seed: Option<u64>,
}

/// A login needs a client to log in with, so it is put together last.
enum Chosen {
    Ready(Credential),
    Login(String, String),
}

impl ApiBuilder {
    pub(super) const fn new(base: String) -> Self {
        let credential = Chosen::Ready(Credential::Anonymous);
        Self { base, http: None, credential, timeout: Duration::from_secs(20), retries: 3, seed: None }
    }

    /// Logs in with name and password when a token is first needed.
    #[must_use]
    pub fn login(mut self, username: impl Into<String>, password: impl Into<String>) -> Self {
        self.credential = Chosen::Login(username.into(), password.into());
        self
    }

    /// Uses one access token.
    #[must_use]
    pub fn token(self, token: impl Into<String>) -> Self {
        self.token_source(FixedToken::new(token))
    }

    /// Uses tokens from elsewhere.
    #[must_use]
    pub fn token_source(mut self, source: impl TokenSource + 'static) -> Self {
        self.credential = Chosen::Ready(Credential::Tokens(Arc::new(source)));
        self
    }

    /// Calls as a trusted back end. Sockets need a user and cannot be opened with a key.
    #[must_use]
    pub fn api_key(mut self, key: impl Into<String>) -> Self {
        self.credential = Chosen::Ready(Credential::ApiKey(key.into()));
        self
    }

    /// How long one try of a call may take; 20 s by default. Does not apply to a client given to [`Self::http`].
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How often a call is tried again after a lost connection or a 503; three times by default.
    #[must_use]
    pub const fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// Makes the waits before retries and reconnects repeatable, for tests.
    #[must_use]
    pub const fn jitter_seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Uses an HTTP client of your own, for proxies or certificates. The default one uses no proxy, as sockets do not.
    #[must_use]
    pub fn http(mut self, client: reqwest::Client) -> Self {
        self.http = Some(client);
        self
    }

    /// The client. Nothing is sent yet.
    pub fn build(self) -> Result<Api, Error> {
        let base = Url::parse(&self.base).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let base = base.ok_or_else(|| Error::Url(self.base.clone()))?;
        let http = match self.http {
            Some(http) => http,
            None => default_http(&base, self.timeout).map_err(Error::Transport)?,
        };
        let new = |credential| Api {
            inner: Arc::new(Inner {
                http: http.clone(),
                base: base.clone(),
                credential,
                retries: self.retries,
                seed: self.seed,
            }),
        };
        Ok(match self.credential {
            Chosen::Ready(credential) => new(credential),
            Chosen::Login(name, password) => {
                let login = Login::new(new(Credential::Anonymous), name, password);
                new(Credential::Tokens(Arc::new(login)))
            }
        })
    }
}

fn default_http(base: &Url, timeout: Duration) -> Result<reqwest::Client, reqwest::Error> {
    let builder = reqwest::Client::builder().timeout(timeout).no_proxy();
    // Without TLS the system's certificates are neither read nor required.
    let builder = if base.scheme() == "http" { builder.tls_certs_only([]) } else { builder };
    builder.build()
}
