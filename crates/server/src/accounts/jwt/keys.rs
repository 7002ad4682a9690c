//! The keys that sign and verify tokens.

use std::sync::Arc;

use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, EncodingKey};

use super::{JwkSource, JwtSettings};

/// A key setting that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// An algorithm with a key pair, and no public key.
    #[error("JWT_ALGORITHM {0} needs JWT_VERIFYING_KEY (a public key in PEM) or JWT_JWK_URL")]
    NoVerifyingKey(String),
    /// The public key is not PEM, or of another kind.
    #[error("JWT_VERIFYING_KEY is no public key in PEM for {0}")]
    BadVerifyingKey(String),
    /// An HS algorithm without a secret: anybody could sign.
    #[error("JWT_SIGNING_KEY (or SECRET_KEY) must not be empty")]
    NoSecret,
    /// The address of the key set is no HTTP address, or no client could be made for it.
    #[error("JWT_JWK_URL cannot be used: {0}")]
    BadJwkUrl(String),
}

#[derive(Debug)]
pub(super) struct Keys {
    /// None where this server holds no private key: it then verifies only.
    pub(super) signing: Option<EncodingKey>,
    verifying: VerifyingKeys,
}

#[derive(Debug)]
enum VerifyingKeys {
    One(Arc<DecodingKey>),
    Set(JwkSource),
}

impl Keys {
    pub(super) fn new(settings: &JwtSettings) -> Result<Self, KeyError> {
        if settings.algorithm.family() == AlgorithmFamily::Hmac {
            return Self::shared(&settings.signing_key);
        }
        let verifying = match &settings.jwk_url {
            Some(url) => VerifyingKeys::Set(JwkSource::new(url, settings.algorithm)?),
            None => VerifyingKeys::One(Arc::new(public_key(settings)?)),
        };
        let signing = private_key(settings.algorithm, settings.signing_key.as_bytes());
        Ok(Self { signing, verifying })
    }

    fn shared(secret: &str) -> Result<Self, KeyError> {
        if secret.is_empty() {
            return Err(KeyError::NoSecret);
        }
        Ok(Self {
            signing: Some(EncodingKey::from_secret(secret.as_bytes())),
            verifying: VerifyingKeys::One(Arc::new(DecodingKey::from_secret(secret.as_bytes()))),
        })
    }

    /// The key that must have signed a token whose header names `key_id`.
    pub(super) fn verifying(&self, key_id: Option<&str>) -> Option<Arc<DecodingKey>> {
        match &self.verifying {
            VerifyingKeys::One(key) => Some(Arc::clone(key)),
            VerifyingKeys::Set(source) => source.find(key_id?),
        }
    }

    pub(super) fn source(&self) -> Option<&JwkSource> {
        match &self.verifying {
            VerifyingKeys::One(_) => None,
            VerifyingKeys::Set(source) => Some(source),
        }
    }
}

fn public_key(settings: &JwtSettings) -> Result<DecodingKey, KeyError> {
    let name = || format!("{:?}", settings.algorithm);
    let pem = settings.verifying_key.as_deref().filter(|pem| !pem.is_empty());
    let pem = pem.ok_or_else(|| KeyError::NoVerifyingKey(name()))?.as_bytes();
    let key = match settings.algorithm.family() {
        AlgorithmFamily::Rsa => DecodingKey::from_rsa_pem(pem),
        AlgorithmFamily::Ec => DecodingKey::from_ec_pem(pem),
        AlgorithmFamily::Ed => DecodingKey::from_ed_pem(pem),
        AlgorithmFamily::Hmac => Ok(DecodingKey::from_secret(pem)),
    };
    key.map_err(|_| KeyError::BadVerifyingKey(name()))
}

/// The private key, where `signing_key` is one. Beside Django it usually is not: `SECRET_KEY` stands there.
fn private_key(algorithm: Algorithm, pem: &[u8]) -> Option<EncodingKey> {
    match algorithm.family() {
        AlgorithmFamily::Rsa => EncodingKey::from_rsa_pem(pem),
        AlgorithmFamily::Ec => EncodingKey::from_ec_pem(pem),
        AlgorithmFamily::Ed => EncodingKey::from_ed_pem(pem),
        AlgorithmFamily::Hmac => Ok(EncodingKey::from_secret(pem)),
    }
    .ok()
}
