//! The opening handshake, and who it is: a SimpleJWT access token (HS256) in the query.

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha1::{Digest, Sha1};
use sha2::Sha256;

const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Whose connection it is, and where to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    pub(crate) user: i64,
    /// None: his notifications.
    pub(crate) conversation: Option<i64>,
    /// The answer.
    pub(crate) response: String,
}

#[derive(Deserialize)]
struct Claims<'a> {
    token_type: &'a str,
    exp: i64,
    user_id: &'a str,
}

/// Reads a whole request. None: it is refused.
pub(crate) fn open(request: &[u8], secret: &[u8]) -> Option<Opened> {
    let request = std::str::from_utf8(request).ok()?;
    let target = request.strip_prefix("GET ")?.split_once(' ')?.0;
    let (path, token) = target.split_once("?token=")?;
    let conversation = match path.strip_prefix("/ws/")?.split_once('/')? {
        ("notifications", _) => None,
        ("chat", id) => Some(id.trim_end_matches('/').parse().ok()?),
        _ => return None,
    };
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))?;
    let accept = BASE64_STANDARD.encode(Sha1::digest(format!("{key}{GUID}")));
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    Some(Opened { user: user_of(token, secret)?, conversation, response })
}

fn user_of(token: &str, secret: &[u8]) -> Option<i64> {
    let (signed, signature) = token.rsplit_once('.')?;
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
    let mac = Hmac::<Sha256>::new_from_slice(secret).ok()?.chain_update(signed);
    mac.verify_slice(&signature).ok()?;
    let payload = BASE64_URL_SAFE_NO_PAD.decode(signed.split_once('.')?.1).ok()?;
    let claims: Claims<'_> = serde_json::from_slice(&payload).ok()?;
    let good = claims.token_type == "access" && claims.exp > jiff::Timestamp::now().as_second();
    good.then(|| claims.user_id.parse().ok())?
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn token(secret: &[u8], payload: &str) -> String {
        let [head, payload] = [r#"{"alg":"HS256"}"#, payload].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
        let mac = Hmac::<Sha256>::new_from_slice(secret).unwrap().chain_update(format!("{head}.{payload}"));
        format!("{head}.{payload}.{}", BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }

    #[test]
    fn a_good_token_opens_and_others_do_not() {
        let payload = r#"{"token_type":"access","exp":9999999999,"user_id":"5"}"#;
        let request = |token: &str| {
            format!("GET /ws/chat/7/?token={token} HTTP/1.1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        };
        let good = open(request(&token(b"secret", payload)).as_bytes(), b"secret").unwrap();
        assert_eq!((good.user, good.conversation), (5, Some(7)));
        assert!(good.response.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        let old = payload.replace("9999999999", "1");
        for bad in [token(b"other", payload), token(b"secret", &old), "x".to_owned()] {
            assert_eq!(open(request(&bad).as_bytes(), b"secret"), None);
        }
    }
}
