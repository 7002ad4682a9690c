use hmac::{Hmac, KeyInit, Mac, digest::InvalidLength};
use sha2::Sha256;

use crate::accounts::signing::hex;

/// Signs requests under `HOOKS_SECRET`.
#[derive(Clone)]
pub(super) struct Signer(Hmac<Sha256>);

impl Signer {
    /// HMAC takes keys of any length, so this does not fail.
    pub(super) fn new(secret: &str) -> Result<Self, InvalidLength> {
        Hmac::new_from_slice(secret.as_bytes()).map(Self)
    }

    /// `v1=` and the hexadecimal HMAC-SHA256 of the time (Unix seconds), a full stop and the body.
    pub(super) fn sign(&self, timestamp: &str, body: &[u8]) -> String {
        let mut mac = self.0.clone();
        mac.update(timestamp.as_bytes());
        mac.update(b".");
        mac.update(body);
        format!("v1={}", hex(&mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// Made with Python: `hmac.new(b"secret", b'1763817322.{"id": "1"}', "sha256").hexdigest()`.
    #[test]
    fn it_is_what_python_makes_of_it() {
        let signature = Signer::new("secret").unwrap().sign("1763817322", br#"{"id": "1"}"#);
        assert_eq!(signature, "v1=ca397919245e3e2be2b1b71f25503244c6dc92b27ccfbccc8eb98891bac20ea6");
    }
}
