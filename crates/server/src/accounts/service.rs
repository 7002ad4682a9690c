use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::{
    Account, AccountsOptions, Credential, Identity, Proof, Refusal, User,
    joint_lookup::JointLookup,
    jwt::{Jwt, KeyError, TokenError},
    password::Verifier,
    session::{self, SessionSettings},
    store::{self, Users},
};
use crate::storage::{Storage, StorageError, Tx};

/// Logins that may wait for their password to be checked.
const LOGIN_QUEUE: usize = 64;

/// Who is who: credentials, logins and users.
///
/// Nothing is cached: every answer is what the database says now.
#[derive(Clone)]
pub struct Accounts {
    pub(super) storage: Storage,
    pub(super) verifier: Verifier,
    pub(super) rules: Arc<Rules>,
    pub(super) token_users: Arc<JointLookup>,
}

/// What does not change while the server runs.
pub(super) struct Rules {
    pub(super) jwt: Jwt,
    pub(super) session: SessionSettings,
    pub(super) users: Arc<Users>,
    pub(super) driver_group: String,
    /// Whether there is a table of sessions.
    pub(super) has_sessions: AtomicBool,
}

impl Accounts {
    /// # Errors
    /// When a key of the tokens cannot be used; the text says which setting to change.
    pub fn new(storage: Storage, options: AccountsOptions) -> Result<Self, KeyError> {
        let users = Arc::new(Users::new(options.tables, &options.jwt.user_id_field, storage.user_table()));
        let rules = Rules {
            jwt: Jwt::new(options.jwt)?,
            session: options.session,
            users,
            driver_group: options.driver_group,
            has_sessions: AtomicBool::new(true),
        };
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let (verifier, rules) = (Verifier::new(workers, LOGIN_QUEUE), Arc::new(rules));
        let token_users = JointLookup::new(storage.clone(), Arc::clone(&rules.users));
        Ok(Self { storage, verifier, rules, token_users })
    }

    /// Looks whether Django's tables are what the settings say, before anybody relies on it.
    ///
    /// # Errors
    /// [`StorageError::Setup`] names the setting that is wrong.
    pub async fn check_tables(&self) -> Result<(), StorageError> {
        let look = |rules: &Rules, tx: &mut Tx<'_>| {
            rules.users.check(tx)?;
            let has_sessions = store::has_sessions(tx)?;
            // A role that may not read them would otherwise turn away everybody later.
            rules.users.group_members(tx, "")?;
            if has_sessions {
                store::sessions(tx, &[""])?;
            }
            Ok(has_sessions)
        };
        let has_sessions = self.read(look).await?;
        if !has_sessions {
            tracing::warn!("there is no table django_session: session cookies open nothing");
        }
        self.rules.has_sessions.store(has_sessions, Ordering::Relaxed);
        Ok(())
    }

    /// Whether there are sessions: a project whose users come with tokens alone may do without.
    pub fn has_sessions(&self) -> bool {
        self.rules.has_sessions.load(Ordering::Relaxed)
    }

    /// Who shows this credential.
    ///
    /// # Errors
    /// [`Refusal`] says whether a new credential or a little patience would help.
    pub async fn authenticate(&self, credential: &Credential) -> Result<Identity, Refusal> {
        match credential {
            Credential::AccessToken(token) => self.by_token(token).await,
            Credential::SessionCookie(key) => self.by_session(key).await,
        }
    }

    async fn by_token(&self, token: &str) -> Result<Identity, Refusal> {
        let present = self.storage.clock().present();
        self.rules.jwt.prepare(token, present.earliest).await;
        let claims = self.rules.jwt.verify_access(token, present).map_err(|error| match error {
            TokenError::Expired => Refusal::TokenExpired,
            _ => Refusal::Unauthorized,
        })?;
        let found = self.token_users.find(claims.user_id).await?;
        let account = found.ok_or(Refusal::Unauthorized)?;
        self.rules
            .jwt
            .check_user(claims.password_hash.as_deref(), account.is_active, &account.password)
            .map_err(|_| Refusal::Unauthorized)?;
        let proof = Proof::Token { password_hash: claims.password_hash };
        Ok(Identity { user: account.user, proof, expires_at: Some(claims.expires_at) })
    }

    async fn by_session(&self, key: &str) -> Result<Identity, Refusal> {
        if !self.has_sessions() || !session::is_plausible_key(key) {
            return Err(Refusal::Unauthorized);
        }
        let wanted = key.to_owned();
        let user = self.read(move |rules, tx| rules.session_user(tx, &wanted)).await?;
        let proof = Proof::Session { key: key.to_owned() };
        Ok(Identity { user: user.ok_or(Refusal::Unauthorized)?, proof, expires_at: None })
    }

    pub(super) async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Rules, &mut Tx<'_>) -> Result<T, StorageError> + Send + 'static,
    ) -> Result<T, StorageError> {
        let rules = Arc::clone(&self.rules);
        self.storage.read(move |tx| job(&rules, tx)).await
    }
}

impl Rules {
    /// Who is logged in by the session with this key.
    fn session_user(&self, tx: &mut Tx<'_>, key: &str) -> Result<Option<Arc<User>>, StorageError> {
        let row = store::sessions(tx, &[key])?.remove(key);
        let Some(claim) = row.and_then(|row| session::read(&row, tx.now(), &self.session)) else {
            return Ok(None);
        };
        let account = self.users.by_ids(tx, &[claim.user_id])?.remove(&claim.user_id);
        let holds = |account: &Account| claim.holds_for(&account.password, account.is_active, &self.session.keys);
        Ok(account.filter(holds).map(|account| account.user))
    }
}

impl From<StorageError> for Refusal {
    fn from(error: StorageError) -> Self {
        tracing::error!(%error, "accounts cannot be read");
        Self::Unavailable
    }
}
