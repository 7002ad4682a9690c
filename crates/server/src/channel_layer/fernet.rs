//! Fernet tokens: how `channels_redis` encrypts messages (<https://github.com/fernet/spec>).

use aws_lc_rs::cipher::{
    AES_128, DecryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use base64::{Engine, engine::general_purpose::URL_SAFE};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::config::Secret;

/// The first byte of every token.
const VERSION: u8 = 0x80;
/// Version, time and initialisation vector.
const HEAD: usize = 1 + 8 + 16;
const MAC: usize = 32;
/// By how many seconds the clocks of senders may be ahead, where tokens have an age.
const MAX_CLOCK_SKEW: u64 = 60;

/// Keys that open tokens; the first one makes them.
pub(super) struct Fernet(Vec<Key>);

/// As `channels_redis` makes it of a configured text.
struct Key {
    signing: [u8; 16],
    encryption: [u8; 16],
}

/// When a token is too old.
#[derive(Clone, Copy, Debug)]
pub(super) struct Age {
    /// Unix seconds.
    pub(super) now: u64,
    /// Seconds; `None` is no limit.
    pub(super) limit: Option<u64>,
}

impl Age {
    fn allows(self, made_at: u64) -> bool {
        self.limit.is_none_or(|limit| {
            made_at.saturating_add(limit) >= self.now && made_at <= self.now.saturating_add(MAX_CLOCK_SKEW)
        })
    }
}

impl Fernet {
    /// `None` without keys.
    pub(super) fn new(keys: &[Secret]) -> Option<Self> {
        (!keys.is_empty()).then(|| Self(keys.iter().map(Key::new).collect()))
    }

    /// What is in a token; `None` where no key opens it, or it is too old.
    pub(super) fn open(&self, token: &[u8], age: Age) -> Option<Vec<u8>> {
        let bytes = URL_SAFE.decode(token).ok()?;
        let made_at = u64::from_be_bytes(bytes.get(1..9)?.try_into().ok()?);
        self.0.iter().find_map(|key| key.open(&bytes)).filter(|_| age.allows(made_at))
    }

    /// A token with these bytes in it.
    pub(super) fn seal(&self, bytes: &[u8], now: u64) -> Option<String> {
        self.0.first()?.seal(bytes, now)
    }
}

impl Key {
    fn new(text: &Secret) -> Self {
        let (mut signing, mut encryption) = ([0; 16], [0; 16]);
        let digest = Sha256::digest(text.expose());
        signing.copy_from_slice(&digest[..16]);
        encryption.copy_from_slice(&digest[16..]);
        Self { signing, encryption }
    }

    fn mac(&self, bytes: &[u8]) -> Option<Hmac<Sha256>> {
        Some(Hmac::<Sha256>::new_from_slice(&self.signing).ok()?.chain_update(bytes))
    }

    fn open(&self, token: &[u8]) -> Option<Vec<u8>> {
        let (signed, mac) = token.split_at_checked(token.len().checked_sub(MAC)?)?;
        let (head, encrypted) = signed.split_at_checked(HEAD)?;
        self.mac(signed)?.verify_slice(mac).ok()?;
        if head.first() != Some(&VERSION) {
            return None;
        }
        let context = DecryptionContext::Iv128(FixedLength::from(<[u8; 16]>::try_from(&head[9..]).ok()?));
        let key = UnboundCipherKey::new(&AES_128, &self.encryption).ok()?;
        let mut buffer = encrypted.to_vec();
        let opened = PaddedBlockDecryptingKey::cbc_pkcs7(key).ok()?.decrypt(&mut buffer, context).ok()?;
        Some(opened.to_vec())
    }

    fn seal(&self, bytes: &[u8], now: u64) -> Option<String> {
        let key = UnboundCipherKey::new(&AES_128, &self.encryption).ok()?;
        let mut encrypted = bytes.to_vec();
        let context = PaddedBlockEncryptingKey::cbc_pkcs7(key).ok()?.encrypt(&mut encrypted).ok()?;
        let DecryptionContext::Iv128(vector) = context else { return None };
        let vector: &[u8; 16] = vector.as_ref();
        let signed = [&[VERSION], &now.to_be_bytes()[..], vector, &encrypted].concat();
        let mac = self.mac(&signed)?.finalize().into_bytes();
        Some(URL_SAFE.encode([&signed[..], &mac].concat()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const ANY_AGE: Age = Age { now: 0, limit: None };

    fn fernet(keys: &[&str]) -> Fernet {
        Fernet::new(&keys.iter().map(|key| Secret::new(*key)).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn any_of_the_keys_opens_what_one_of_them_made() {
        let token = fernet(&["old"]).seal(b"a message", 7).unwrap();
        assert_eq!(fernet(&["new", "old"]).open(token.as_bytes(), ANY_AGE).unwrap(), b"a message");
        assert_eq!(fernet(&["new"]).open(token.as_bytes(), ANY_AGE), None);
        let newer = fernet(&["new", "old"]).seal(b"", 7).unwrap();
        assert_eq!(fernet(&["new"]).open(newer.as_bytes(), ANY_AGE).unwrap(), b"");
    }

    #[test]
    fn a_token_has_an_age() {
        let (fernet, made_at) = (fernet(&["key"]), 1_000);
        let token = fernet.seal(b"x", made_at).unwrap();
        let opens = |now| fernet.open(token.as_bytes(), Age { now, limit: Some(70) }).is_some();
        assert_eq!([939, 940, 1_000, 1_070, 1_071].map(opens), [false, true, true, true, false]);
    }

    #[test]
    fn a_token_that_was_touched_is_refused() {
        let fernet = fernet(&["key"]);
        let token = fernet.seal(b"a message of more than one block", 7).unwrap();
        for place in 0..token.len() {
            let mut touched = token.clone().into_bytes();
            touched[place] = if touched[place] == b'A' { b'B' } else { b'A' };
            assert_eq!(fernet.open(&touched, ANY_AGE), None, "{place}");
            assert_eq!(fernet.open(&token.as_bytes()[..place], ANY_AGE), None, "{place}");
        }
    }
}
