//! The five places where a credential can be; the first one present decides.

use http::{HeaderMap, header};

use crate::accounts::{Credential, cookies};

/// The word that offers a token as a sub-protocol, and that the server answers with.
pub(super) const BEARER_PROTOCOL: &str = "bearer";

/// The credential that counts, if any was shown.
pub(super) fn find(
    query_token: Option<String>,
    path_token: Option<String>,
    headers: &HeaderMap,
    session_cookie_name: &str,
) -> Option<Credential> {
    query_token
        .or(path_token)
        .or_else(|| bearer_header(headers))
        .or_else(|| bearer_protocol(headers))
        .map(Credential::AccessToken)
        .or_else(|| cookies::from_headers(headers, session_cookie_name).map(Credential::SessionCookie))
}

/// Whether the client offers the sub-protocol `bearer`: a browser insists on an answer to its offer.
pub(super) fn offers_bearer(headers: &HeaderMap) -> bool {
    protocols(headers).first().is_some_and(|first| *first == BEARER_PROTOCOL)
}

fn bearer_header(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    // SimpleJWT's scheme is case-sensitive.
    value.strip_prefix("Bearer ").map(|token| token.trim().to_owned())
}

fn bearer_protocol(headers: &HeaderMap) -> Option<String> {
    match protocols(headers).as_slice() {
        [BEARER_PROTOCOL, token, ..] => Some((*token).to_owned()),
        _ => None,
    }
}

fn protocols(headers: &HeaderMap) -> Vec<&str> {
    headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect()
}
