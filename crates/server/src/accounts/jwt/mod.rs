//! SimpleJWT's access and refresh tokens: the same verdicts, the same messages, the same claims.
//!
//! Only signatures are left to a library. The claims are judged here, in the order in which PyJWT and
//! SimpleJWT judge them, because general JWT libraries differ in what they require and forgive.

mod claims;
mod issue;
mod jwks;
mod keys;
mod settings;
mod verify;

use holodrive_protocol::Timestamp;
use md5::{Digest, Md5};
use serde_json::{Map, Value};

pub use issue::{IssueError, TokenPair};
pub use jwks::JwkSource;
pub use keys::KeyError;
pub use settings::{JwtSettings, TokenClass, UnknownTokenClass};

use super::signing::{constant_time_eq, hex};
use keys::Keys;

/// SimpleJWT's default `REVOKE_TOKEN_CLAIM`.
const REVOKE_TOKEN_CLAIM: &str = "hash_password";

/// Verifies and issues tokens under one set of settings.
#[derive(Debug)]
pub struct Jwt {
    settings: JwtSettings,
    keys: Keys,
}

/// A token that was believed, and may open a connection or a request.
#[derive(Clone)]
pub struct AccessClaims {
    /// The text of the user claim; `USER_ID_FIELD` says which column it names.
    pub user_id: String,
    /// When the token runs out (without leeway).
    pub expires_at: Timestamp,
    /// `hash_password`, which SimpleJWT adds where `CHECK_REVOKE_TOKEN` is on.
    pub password_hash: Option<String>,
}

/// A refresh token that was believed.
#[derive(Clone)]
pub struct RefreshClaims {
    /// The text of the user claim, where the token has one.
    pub user_id: Option<String>,
    /// The token's `jti`, by which Django's blacklist knows it.
    pub jti: String,
    claims: Map<String, Value>,
}

/// Why a token is refused. The texts are SimpleJWT's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Malformed, forged, of another algorithm, not yet valid, or for another audience or issuer.
    #[error("Token is invalid")]
    Invalid,
    /// `exp` has passed.
    #[error("Token is expired")]
    Expired,
    /// There is no `exp`.
    #[error("Token has no 'exp' claim")]
    NoExpiry,
    /// There is no `jti`.
    #[error("Token has no id")]
    NoId,
    /// There is no `token_type`.
    #[error("Token has no type")]
    NoType,
    /// For example a refresh token where an access token is needed.
    #[error("Token has wrong type")]
    WrongType,
    /// There is no user claim, or it is neither text nor an integer.
    #[error("Token contained no recognizable user identification")]
    NoUser,
}

/// Why a user may not use his token. The texts are SimpleJWT's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UserRefusal {
    /// `CHECK_USER_IS_ACTIVE` is on and he is not.
    #[error("User is inactive")]
    Inactive,
    /// `CHECK_REVOKE_TOKEN` is on and the token was issued under another password.
    #[error("The user's password has been changed.")]
    PasswordChanged,
}

impl Jwt {
    /// Reads the keys. Where they come from a URL, none is fetched before [`Jwt::prepare`].
    pub fn new(settings: JwtSettings) -> Result<Self, KeyError> {
        let keys = Keys::new(&settings)?;
        Ok(Self { settings, keys })
    }

    /// The settings that it was made with.
    pub fn settings(&self) -> &JwtSettings {
        &self.settings
    }

    /// Fetches the key that this token names, where keys come from a URL and it is not known yet. Call it
    /// before verifying; with fixed keys it does nothing. Failing to fetch only leaves the key unknown.
    pub async fn prepare(&self, token: &str, now: Timestamp) {
        if let Some(source) = self.keys.source() {
            source.prepare(verify::key_id(token).as_deref(), now).await;
        }
    }

    /// Whether a user may use a token with this `hash_password`: he is active, and has not changed his
    /// password, as far as the settings ask. `stored_password` is the whole password column.
    pub fn check_user(
        &self,
        password_hash: Option<&str>,
        is_active: bool,
        stored_password: &str,
    ) -> Result<(), UserRefusal> {
        if self.settings.check_user_is_active && !is_active {
            return Err(UserRefusal::Inactive);
        }
        let unchanged = || constant_time_eq(password_hash.unwrap_or_default(), &password_digest(stored_password));
        if self.settings.check_revoke_token && !unchanged() {
            return Err(UserRefusal::PasswordChanged);
        }
        Ok(())
    }
}

/// `hash_password`: upper-case hexadecimal MD5 of the whole password column.
fn password_digest(stored_password: &str) -> String {
    hex(&Md5::digest(stored_password)).to_uppercase()
}
