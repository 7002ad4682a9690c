//! Django's salted HMAC and time-stamped signatures (`django.utils.crypto`, `django.core.signing`).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Django's `SECRET_KEY`, and the `SECRET_KEY_FALLBACKS` that are still believed.
#[derive(Clone)]
pub struct SecretKeys {
    /// Signs, and is tried first.
    pub current: String,
    /// Tried after it, in order; never used to sign.
    pub fallbacks: Vec<String>,
}

impl SecretKeys {
    /// The current key, then the fallbacks.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.current).chain(&self.fallbacks).map(String::as_str)
    }
}

impl std::fmt::Debug for SecretKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretKeys(1 current, {} fallbacks)", self.fallbacks.len())
    }
}

/// HMAC-SHA256 of `value` under a key derived from `key_salt` and `secret`: `salted_hmac(…, algorithm="sha256")`.
pub fn salted_hmac(key_salt: &str, value: &str, secret: &str) -> [u8; 32] {
    let key = Sha256::new().chain_update(key_salt).chain_update(secret).finalize();
    let mut padded = hmac::digest::Key::<Hmac<Sha256>>::default();
    padded[..key.len()].copy_from_slice(&key);
    let mut mac = Hmac::<Sha256>::new(&padded);
    mac.update(value.as_bytes());
    mac.finalize().into_bytes().into()
}

/// Lower-case hexadecimal digits, as Python's `hexdigest()` writes them.
pub fn hex(bytes: &[u8]) -> String {
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    nibbles.filter_map(|nibble| char::from_digit(nibble.into(), 16)).collect()
}

/// Whether two texts are equal, in a time that tells nothing about where they differ.
pub fn constant_time_eq(left: &str, right: &str) -> bool {
    left.as_bytes().ct_eq(right.as_bytes()).into()
}

/// `value:timestamp:signature`, as `TimestampSigner(salt=…).sign(value)` writes it at `unix_seconds`.
pub fn sign(salt: &str, value: &str, unix_seconds: i64, secret: &str) -> String {
    let stamped = format!("{value}:{}", base62_encode(unix_seconds));
    let signature = signature(salt, &stamped, secret);
    format!("{stamped}:{signature}")
}

/// The value and the time (Unix seconds) of a signed text, where one of the keys signed it.
///
/// The age is left to the caller: database sessions do not check it.
pub fn unsign<'a>(salt: &str, signed: &'a str, keys: &SecretKeys) -> Option<(&'a str, i64)> {
    let (stamped, given) = signed.rsplit_once(':')?;
    let genuine = keys.iter().any(|secret| constant_time_eq(given, &signature(salt, stamped, secret)));
    let (value, timestamp) = stamped.rsplit_once(':').filter(|_| genuine)?;
    Some((value, base62_decode(timestamp)?))
}

fn signature(salt: &str, value: &str, secret: &str) -> String {
    URL_SAFE_NO_PAD.encode(salted_hmac(&format!("{salt}signer"), value, secret))
}

/// A number in base 62 with the digits `0-9A-Za-z`, as `b62_encode` writes it.
pub fn base62_encode(number: i64) -> String {
    let mut digits = Vec::new();
    let mut rest = number.unsigned_abs();
    loop {
        digits.push(BASE62[usize::try_from(rest % 62).unwrap_or_default()]);
        rest /= 62;
        if rest == 0 {
            break;
        }
    }
    let sign = if number < 0 { "-" } else { "" };
    sign.chars().chain(digits.into_iter().rev().map(char::from)).collect()
}

/// The number that [`base62_encode`] wrote; none where the text is not one or does not fit.
pub fn base62_decode(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let mut number: i64 = 0;
    for digit in digits.bytes() {
        let value = BASE62.iter().position(|known| *known == digit)?;
        number = number.checked_mul(62)?.checked_add(i64::try_from(value).ok()?)?;
    }
    (!digits.is_empty()).then_some(sign * number)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn keys() -> SecretKeys {
        SecretKeys { current: "new".into(), fallbacks: vec!["old".into()] }
    }

    #[test]
    fn signed_text_comes_back_under_either_key() {
        for secret in ["new", "old"] {
            let signed = sign("salt", "a:b", 1_760_000_000, secret);
            assert_eq!(unsign("salt", &signed, &keys()), Some(("a:b", 1_760_000_000)));
            assert_eq!(unsign("other", &signed, &keys()), None);
        }
        assert_eq!(unsign("salt", &sign("salt", "v", 0, "unknown"), &keys()), None);
    }

    #[test]
    fn text_without_parts_is_refused() {
        for text in ["", ":", "::", "value", "value:sig"] {
            assert_eq!(unsign("salt", text, &keys()), None, "{text}");
        }
    }

    #[test]
    fn base62_refuses_what_is_no_number() {
        assert_eq!(base62_decode(&base62_encode(-3843)), Some(-3843));
        for text in ["", "-", "é", "1 ", "zzzzzzzzzzzz"] {
            assert_eq!(base62_decode(text), None, "{text}");
        }
    }

    #[test]
    fn secrets_stay_out_of_debug_output() {
        assert!(!format!("{:?}", keys()).contains("new"));
    }
}
