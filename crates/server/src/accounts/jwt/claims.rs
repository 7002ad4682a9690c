//! The claims of a token, judged in PyJWT's order and then in SimpleJWT's.

use holodrive_protocol::Timestamp;
use serde_json::{Map, Value};

use super::{JwtSettings, TokenError};
use crate::clock::Present;

/// The last second of the year 9999, beyond which Python has no dates.
const LAST_SECOND: i64 = 253_402_300_799;

/// What PyJWT checks: times, issuer, audience, and the types of `sub` and `jti`.
pub(super) fn check_registered(
    claims: &Map<String, Value>,
    settings: &JwtSettings,
    present: Present,
) -> Result<(), TokenError> {
    let leeway = i64::try_from(settings.leeway.as_micros()).unwrap_or(i64::MAX);
    let latest_start = Timestamp(present.latest.0.saturating_add(leeway));
    for name in ["iat", "nbf"] {
        if moment(claims, name)?.is_some_and(|start| start > latest_start) {
            return Err(TokenError::Invalid);
        }
    }
    if moment(claims, "exp")?.is_some_and(|end| end.0 <= present.earliest.0.saturating_sub(leeway)) {
        return Err(TokenError::Expired);
    }
    let text_or_absent = |name| claims.get(name).is_none_or(Value::is_string);
    let valid = is_from(claims, settings.issuer.as_deref())
        && is_for(claims, &settings.audience)
        && text_or_absent("sub")
        && text_or_absent("jti");
    valid.then_some(()).ok_or(TokenError::Invalid)
}

/// What SimpleJWT adds: `exp` and `jti` must be there. Returns both.
pub(super) fn check_required(claims: &Map<String, Value>) -> Result<(Timestamp, &str), TokenError> {
    let expires_at = moment(claims, "exp")?.ok_or(TokenError::NoExpiry)?;
    let jti = claims.get("jti").and_then(Value::as_str).ok_or(TokenError::NoId)?;
    Ok((expires_at, jti))
}

/// Whether the token is of one of these types.
pub(super) fn check_type<'a>(
    claims: &Map<String, Value>,
    settings: &JwtSettings,
    mut accepted: impl Iterator<Item = &'a str>,
) -> Result<(), TokenError> {
    let given = claims.get(&settings.token_type_claim).ok_or(TokenError::NoType)?;
    let right = accepted.any(|token_type| given.as_str() == Some(token_type));
    right.then_some(()).ok_or(TokenError::WrongType)
}

/// The user claim as text: a text as it is, an integer in decimal. `true` is no user, though Python takes it for 1.
pub(super) fn user_id(claims: &Map<String, Value>, settings: &JwtSettings) -> Option<String> {
    match claims.get(&settings.user_id_claim)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => number.as_i64().map(|id| id.to_string()),
        _ => None,
    }
}

/// A time in whole seconds, fractions cut off; an error where the claim is no number or no date.
fn moment(claims: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, TokenError> {
    let Some(claim) = claims.get(name) else {
        return Ok(None);
    };
    let seconds = claim.as_i64().or_else(|| claim.as_f64().and_then(whole_seconds));
    match seconds.filter(|seconds| (-LAST_SECOND..=LAST_SECOND).contains(seconds)) {
        Some(seconds) => Ok(Some(Timestamp(seconds * 1_000_000))),
        None => Err(TokenError::Invalid),
    }
}

#[allow(clippy::cast_possible_truncation, reason = "cutting off the fraction is the point; casts saturate")]
fn whole_seconds(seconds: f64) -> Option<i64> {
    seconds.is_finite().then_some(seconds as i64)
}

fn is_from(claims: &Map<String, Value>, issuer: Option<&str>) -> bool {
    issuer.is_none_or(|issuer| claims.get("iss").and_then(Value::as_str) == Some(issuer))
}

fn is_for(claims: &Map<String, Value>, audience: &[String]) -> bool {
    let wanted = |given: &Value| audience.iter().any(|name| given.as_str() == Some(name));
    match claims.get("aud") {
        _ if audience.is_empty() => true,
        Some(Value::Array(given)) => given.iter().all(Value::is_string) && given.iter().any(wanted),
        Some(given) => wanted(given),
        None => false,
    }
}
