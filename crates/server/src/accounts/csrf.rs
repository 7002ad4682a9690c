//! Django's protection against forged requests: a secret in a cookie, and the same secret, masked or plain,
//! in the `X-CSRFToken` header of every unsafe request (`django.middleware.csrf`).

use super::{
    random::{self, ALPHANUMERIC},
    signing::constant_time_eq,
};

const SECRET_LENGTH: usize = 32;
const TOKEN_LENGTH: usize = 2 * SECRET_LENGTH;

/// A new secret, for the cookie.
pub fn new_secret() -> String {
    random::text(SECRET_LENGTH, ALPHANUMERIC)
}

/// A token for a page or a header: a fresh mask of 32 characters, then the secret under that mask. None
/// where the secret has no valid form.
pub fn mask(secret: &str) -> Option<String> {
    let mask = new_secret();
    let masked = combine(&read_secret(secret)?, &mask, |secret, mask| secret + mask)?;
    Some(mask + &masked)
}

/// Whether the token of a request belongs to its cookie. Both may be masked (64 characters) or plain (32).
pub fn matches(cookie: &str, token: &str) -> bool {
    match (read_secret(cookie), read_secret(token)) {
        (Some(expected), Some(given)) => constant_time_eq(&expected, &given),
        _ => false,
    }
}

/// The plain secret of a cookie or a token; none where its length or a character is wrong.
fn read_secret(text: &str) -> Option<String> {
    if !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    match text.len() {
        SECRET_LENGTH => Some(text.to_owned()),
        TOKEN_LENGTH => {
            let (mask, masked) = text.split_at(SECRET_LENGTH);
            combine(masked, mask, |masked, mask| masked + ALPHANUMERIC.len() - mask)
        }
        _ => None,
    }
}

/// Combines two texts character by character, each taken as its place in the alphabet.
fn combine(text: &str, mask: &str, operation: fn(usize, usize) -> usize) -> Option<String> {
    let place = |byte| ALPHANUMERIC.iter().position(|known| *known == byte);
    text.bytes()
        .zip(mask.bytes())
        .map(|(byte, mask)| Some(operation(place(byte)?, place(mask)?) % ALPHANUMERIC.len()))
        .map(|place| place.map(|place| char::from(ALPHANUMERIC[place])))
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn masked_and_plain_tokens_match_their_secret() {
        let secret = new_secret();
        let (one, two) = (mask(&secret).unwrap(), mask(&secret).unwrap());
        assert_ne!(one, two);
        assert_eq!(one.len(), TOKEN_LENGTH);
        for (cookie, token) in [(&secret, &one), (&secret, &secret), (&one, &two), (&two, &secret)] {
            assert!(matches(cookie, token));
        }
        assert!(!matches(&new_secret(), &one));
    }

    #[test]
    fn malformed_tokens_never_match() {
        let secret = new_secret();
        for bad in ["", "short", &"é".repeat(16), &"-".repeat(32), &format!("{secret}x")] {
            assert!(!matches(&secret, bad));
            assert!(!matches(bad, bad));
            assert_eq!(mask(bad), None);
        }
    }

    #[test]
    fn a_token_that_django_masked_matches() {
        let secret = "aB3dEfGh1JkLmN0pQrStUvWxYz012345";
        let masked = "ZyXwVuTsRqPoNmLkJiHgFeDcBa987654ZZQzpzpzIZZZZZBzpzpzpzpzpzZZZZZZ";
        assert!(matches(secret, masked));
    }
}
