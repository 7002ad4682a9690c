//! New tokens, with the claims that SimpleJWT writes and in its order.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use holodrive_protocol::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Jwt, JwtSettings, REVOKE_TOKEN_CLAIM, RefreshClaims, password_digest};

/// What a refresh token does not hand down to its access token.
const NOT_COPIED: [&str; 3] = ["exp", "jti", "iat"];

/// The answer of the token endpoint.
#[derive(Clone, Serialize)]
pub struct TokenPair {
    /// Gets new access tokens.
    pub refresh: String,
    /// Opens connections and requests.
    pub access: String,
}

/// Why no token can be issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// The algorithm signs with a private key that this server does not have.
    #[error("JWT_SIGNING_KEY is no private key in PEM (PKCS #8) for JWT_ALGORITHM: this server only verifies tokens")]
    NoSigningKey,
    /// The user has nothing that a token could call him by.
    #[error("this user has no token: his JWT_USER_ID_FIELD is empty")]
    NoUserId,
    /// The key is of the right kind, but the signature failed.
    #[error("the token could not be signed with JWT_SIGNING_KEY")]
    NotSigned,
}

impl Jwt {
    /// A refresh token and its access token for a user. `user_id` is the text of his `USER_ID_FIELD`,
    /// `stored_password` his password column.
    pub fn issue_pair(&self, user_id: &str, stored_password: &str, now: Timestamp) -> Result<TokenPair, IssueError> {
        let refresh = self.user_claims("refresh", self.settings.refresh_token_lifetime, user_id, stored_password, now);
        let access = self.user_claims("access", self.settings.access_token_lifetime, user_id, stored_password, now);
        Ok(TokenPair { refresh: self.encode(refresh)?, access: self.encode(access)? })
    }

    /// An access token that lasts `lifetime`, whatever the settings say.
    pub fn issue_access(
        &self,
        user_id: &str,
        stored_password: &str,
        lifetime: Duration,
        now: Timestamp,
    ) -> Result<String, IssueError> {
        self.encode(self.user_claims("access", lifetime, user_id, stored_password, now))
    }

    /// The access token that a refresh token is exchanged for, with the claims that a project added to it.
    pub fn refresh_access(&self, refresh: &RefreshClaims, now: Timestamp) -> Result<String, IssueError> {
        let mut claims = self.base_claims("access", self.settings.access_token_lifetime, now);
        let copied = |name: &str| name != self.settings.token_type_claim && !NOT_COPIED.contains(&name);
        let inherited = refresh.claims.iter().filter(|(name, _)| copied(name));
        claims.0.extend(inherited.map(|(name, value)| (name.clone(), value.clone())));
        self.encode(claims)
    }

    fn base_claims(&self, token_type: &str, lifetime: Duration, now: Timestamp) -> Claims {
        let issued_at = now.0.div_euclid(1_000_000);
        let lifetime = i64::try_from(lifetime.as_micros()).unwrap_or(i64::MAX);
        let expires_at = now.0.saturating_add(lifetime).div_euclid(1_000_000);
        Claims(vec![
            (self.settings.token_type_claim.clone(), json!(token_type)),
            ("exp".into(), json!(expires_at)),
            ("iat".into(), json!(issued_at)),
            ("jti".into(), json!(Uuid::new_v4().simple().to_string())),
        ])
    }

    fn user_claims(
        &self,
        token_type: &str,
        lifetime: Duration,
        user_id: &str,
        stored_password: &str,
        now: Timestamp,
    ) -> Claims {
        let mut claims = self.base_claims(token_type, lifetime, now);
        claims.set(&self.settings.user_id_claim, json!(user_id));
        if self.settings.check_revoke_token {
            claims.set(REVOKE_TOKEN_CLAIM, json!(password_digest(stored_password)));
        }
        claims
    }

    fn encode(&self, mut claims: Claims) -> Result<String, IssueError> {
        let key = self.keys.signing.as_ref().ok_or(IssueError::NoSigningKey)?;
        claims.add_audience_and_issuer(&self.settings);
        let algorithm = self.settings.algorithm;
        let header = format!(r#"{{"alg":"{algorithm:?}","typ":"JWT"}}"#);
        let payload = serde_json::to_vec(&claims).map_err(|_| IssueError::NotSigned)?;
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), key, algorithm);
        Ok(format!("{signed}.{}", signature.map_err(|_| IssueError::NotSigned)?))
    }
}

/// Claims in the order in which they are written.
struct Claims(Vec<(String, Value)>);

impl Claims {
    fn set(&mut self, name: &str, value: Value) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    fn add_audience_and_issuer(&mut self, settings: &JwtSettings) {
        match settings.audience.as_slice() {
            [] => {}
            [one] => self.set("aud", json!(one)),
            several => self.set("aud", json!(several)),
        }
        if let Some(issuer) = &settings.issuer {
            self.set("iss", json!(issuer));
        }
    }
}

impl Serialize for Claims {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}
