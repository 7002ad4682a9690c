use std::time::Duration;

use super::{
    Account, Accounts,
    jwt::{IssueError, TokenError, TokenPair},
    password::Overloaded,
    session::{self, SessionRow},
    store,
};
use crate::storage::StorageError;

/// Why nobody was logged in.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LoginError {
    /// Unknown name, wrong password or inactive user; which of them is not told. The text is SimpleJWT's.
    #[error("No active account found with the given credentials")]
    Rejected,
    /// Too many logins are waiting.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// The database cannot be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why a refresh token got no access token. The texts are SimpleJWT's.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RefreshError {
    /// It is not good.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Django has put it on its blacklist.
    #[error("Token is blacklisted")]
    Blacklisted,
    /// Its user is gone or inactive.
    #[error("No active account found for the given token.")]
    NoAccount,
    /// This server cannot sign.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// The database cannot be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Accounts {
    /// Who logs in with this name and password. The time it takes does not tell whether the name exists.
    ///
    /// # Errors
    /// [`LoginError::Rejected`] where the pair is no active user's.
    pub async fn login(&self, name: &str, password: String) -> Result<Account, LoginError> {
        let account = self.account_by_name(name).await?;
        let encoded = account.as_ref().map(|account| account.password.clone());
        let matches = self.verifier.verify(password, encoded).await?;
        account.filter(|account| matches && account.is_active).ok_or(LoginError::Rejected)
    }

    /// A refresh and an access token.
    ///
    /// # Errors
    /// When this server has no key to sign with; so with [`Accounts::access_token`].
    pub fn token_pair(&self, account: &Account) -> Result<TokenPair, IssueError> {
        let name = account.token_name.as_deref().ok_or(IssueError::NoUserId)?;
        self.rules.jwt.issue_pair(name, &account.password, self.storage.clock().now())
    }

    /// An access token that lasts as long as asked.
    pub fn access_token(&self, account: &Account, lifetime: Duration) -> Result<String, IssueError> {
        let now = self.storage.clock().now();
        let name = account.token_name.as_deref().ok_or(IssueError::NoUserId)?;
        self.rules.jwt.issue_access(name, &account.password, lifetime, now)
    }

    /// The access token that a refresh token is exchanged for.
    ///
    /// # Errors
    /// Where SimpleJWT refuses the token or its user.
    pub async fn refresh(&self, token: &str) -> Result<String, RefreshError> {
        let present = self.storage.clock().present();
        self.rules.jwt.prepare(token, present.earliest).await;
        let refresh = self.rules.jwt.verify_refresh(token, present)?;
        let (jti, name) = (refresh.jti.clone(), refresh.user_id.clone());
        let (blacklisted, account) = self
            .read(move |rules, tx| {
                let account = name.as_deref().map(|name| rules.users.by_token_name(tx, name)).transpose()?;
                Ok((store::is_blacklisted(tx, &jti)?, account.flatten()))
            })
            .await?;
        if blacklisted {
            return Err(RefreshError::Blacklisted);
        }
        if !account.is_some_and(|account| account.is_active) {
            return Err(RefreshError::NoAccount);
        }
        Ok(self.rules.jwt.refresh_access(&refresh, present.earliest)?)
    }

    /// Whether a token of any type is genuine and not over, as SimpleJWT's verify endpoint tells.
    ///
    /// # Errors
    /// Why it is not.
    pub async fn verify_token(&self, token: &str) -> Result<(), TokenError> {
        let present = self.storage.clock().present();
        self.rules.jwt.prepare(token, present.earliest).await;
        self.rules.jwt.verify_any(token, present)
    }

    /// Opens a session; its key is the value for the session cookie.
    ///
    /// # Errors
    /// When it could not be stored.
    pub async fn create_session(&self, account: &Account) -> Result<SessionRow, StorageError> {
        let now = self.storage.clock().now();
        let row = session::open(account.user.id, &account.password, now, &self.rules.session);
        let stored = row.clone();
        self.storage.write(move |tx| store::insert_session(tx, &stored)).await?;
        Ok(row)
    }

    /// Ends a session, if there is one with this key.
    ///
    /// # Errors
    /// When the database could not be written.
    pub async fn delete_session(&self, key: &str) -> Result<(), StorageError> {
        let key = key.to_owned();
        self.storage.write(move |tx| store::delete_session(tx, &key)).await
    }
}
