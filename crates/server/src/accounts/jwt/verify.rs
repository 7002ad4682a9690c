//! From the text of a token to the claims that it proves.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use super::{AccessClaims, Jwt, REVOKE_TOKEN_CLAIM, RefreshClaims, TokenError, claims};
use crate::clock::Present;

/// Far beyond any real token; the handshake and the request body are bounded besides.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

impl Jwt {
    /// The verdict on a token that is to open a connection or a request.
    pub fn verify_access(&self, token: &str, present: impl Into<Present>) -> Result<AccessClaims, TokenError> {
        let claims = self.decode(token, present.into())?;
        let (expires_at, _jti) = claims::check_required(&claims)?;
        let accepted = self.settings.auth_token_classes.iter().map(|class| class.token_type());
        claims::check_type(&claims, &self.settings, accepted)?;
        let user_id = claims::user_id(&claims, &self.settings).ok_or(TokenError::NoUser)?;
        let password_hash = claims.get(REVOKE_TOKEN_CLAIM).and_then(Value::as_str).map(str::to_owned);
        Ok(AccessClaims { user_id, expires_at, password_hash })
    }

    /// The verdict on a token that is to be exchanged for an access token. Whether it was blacklisted is
    /// for the caller to look up.
    pub fn verify_refresh(&self, token: &str, present: impl Into<Present>) -> Result<RefreshClaims, TokenError> {
        let claims = self.decode(token, present.into())?;
        let (_expires_at, jti) = claims::check_required(&claims)?;
        claims::check_type(&claims, &self.settings, std::iter::once("refresh"))?;
        let (jti, user_id) = (jti.to_owned(), claims::user_id(&claims, &self.settings));
        Ok(RefreshClaims { user_id, jti, claims })
    }

    /// The verdict of the verify endpoint: genuine and not over, of whatever type.
    pub fn verify_any(&self, token: &str, present: impl Into<Present>) -> Result<(), TokenError> {
        claims::check_required(&self.decode(token, present.into())?).map(|_| ())
    }

    /// The claims of a token with a good signature, good times, audience and issuer.
    fn decode(&self, token: &str, present: Present) -> Result<Map<String, Value>, TokenError> {
        let (signed, payload, header, signature) = split(token).ok_or(TokenError::Invalid)?;
        self.check_signature(&header, signed, signature)?;
        let claims: Map<String, Value> = read_part(payload).ok_or(TokenError::Invalid)?;
        claims::check_registered(&claims, &self.settings, present)?;
        Ok(claims)
    }

    /// The header must name the one algorithm that is configured, whatever else a key could do.
    fn check_signature(&self, header: &Map<String, Value>, signed: &str, signature: &str) -> Result<(), TokenError> {
        let algorithm = self.settings.algorithm;
        let named = header.get("alg").and_then(Value::as_str);
        if named != Some(&format!("{algorithm:?}")) || header.contains_key("crit") {
            return Err(TokenError::Invalid);
        }
        let key_id = header.get("kid").map(|id| id.as_str().ok_or(TokenError::Invalid)).transpose()?;
        let key = self.keys.verifying(key_id).ok_or(TokenError::Invalid)?;
        match jsonwebtoken::crypto::verify(signature, signed.as_bytes(), &key, algorithm) {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(TokenError::Invalid),
        }
    }
}

/// The key that a token says it was signed with; nothing is proved by it.
pub(super) fn key_id(token: &str) -> Option<String> {
    let (_, _, header, _) = split(token)?;
    header.get("kid")?.as_str().map(str::to_owned)
}

/// What is signed, the payload in it, the header, and the signature.
fn split(token: &str) -> Option<(&str, &str, Map<String, Value>, &str)> {
    if token.len() > MAX_TOKEN_BYTES {
        return None;
    }
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, payload) = signed.split_once('.')?;
    Some((signed, payload, read_part(header)?, signature))
}

fn read_part(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}
