//! Where access tokens come from.

use std::{fmt, pin::Pin};

use holodrive_protocol::http::{RefreshToken, TokenPair};
use tokio::sync::Mutex;

use crate::{Api, Error};

/// What [`TokenSource::token`] returns.
pub type TokenFuture<'a> = Pin<Box<dyn Future<Output = Result<String, Error>> + Send + 'a>>;

/// Gives access tokens to calls and sockets. Implement it where tokens come from a back end of your own.
pub trait TokenSource: Send + Sync {
    /// An access token other than `rejected`, which the server no longer takes or is about to stop taking. Without
    /// a newer one it fails with [`Error::TokenRejected`]. Temporary errors are tried again by who asks.
    fn token<'a>(&'a self, rejected: Option<&'a str>) -> TokenFuture<'a>;
}

/// One token; what depends on it ends when it runs out.
pub struct FixedToken(String);

impl FixedToken {
    /// Wraps an access token.
    pub fn new(token: impl Into<String>) -> Self {
        Self(token.into())
    }
}

impl TokenSource for FixedToken {
    fn token<'a>(&'a self, rejected: Option<&'a str>) -> TokenFuture<'a> {
        let token = if rejected == Some(&*self.0) { Err(Error::TokenRejected) } else { Ok(self.0.clone()) };
        Box::pin(std::future::ready(token))
    }
}

impl fmt::Debug for FixedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FixedToken")
    }
}

/// Logs in with name and password, refreshes, and logs in again when the refresh token has run out too.
pub struct Login {
    api: Api,
    credentials: holodrive_protocol::http::Login,
    pair: Mutex<Option<TokenPair>>,
}

impl Login {
    /// `api` needs no credential of its own; it only reaches the token endpoints.
    pub fn new(api: Api, username: impl Into<String>, password: impl Into<String>) -> Self {
        let credentials = holodrive_protocol::http::Login { username: username.into(), password: password.into() };
        Self { api, credentials, pair: Mutex::default() }
    }

    async fn renewed(&self, old: Option<&TokenPair>) -> Result<TokenPair, Error> {
        let Some(old) = old else { return self.api.obtain_token(&self.credentials).await };
        match self.api.refresh_token(&RefreshToken { refresh: old.refresh.clone() }).await {
            Ok(new) => Ok(TokenPair { access: new.access, refresh: old.refresh.clone() }),
            Err(error) if error.is_temporary() => Err(error),
            Err(_) => self.api.obtain_token(&self.credentials).await,
        }
    }
}

impl TokenSource for Login {
    fn token<'a>(&'a self, rejected: Option<&'a str>) -> TokenFuture<'a> {
        Box::pin(async move {
            let mut pair = self.pair.lock().await;
            if let Some(pair) = pair.as_ref().filter(|pair| rejected != Some(&*pair.access)) {
                return Ok(pair.access.clone());
            }
            let new = self.renewed(pair.as_ref()).await?;
            Ok(pair.insert(new).access.clone())
        })
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("username", &self.credentials.username).finish_non_exhaustive()
    }
}
