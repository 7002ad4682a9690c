//! Public keys from a JWK set (`JWT_JWK_URL`), as PyJWT's client takes them.

use std::{collections::HashMap, sync::Arc, time::Duration};

use holodrive_protocol::Timestamp;
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{Jwk, PublicKeyUse},
};
use parking_lot::RwLock;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use super::KeyError;

/// How often the set is asked for, at most; in microseconds.
const COOL_DOWN: i64 = 30 * 1_000_000;
/// How long a set is believed before it is asked for again; in microseconds.
const LIFESPAN: i64 = 5 * 60 * 1_000_000;
const TIMEOUT: Duration = Duration::from_secs(5);
const MAX_SET_BYTES: usize = 1024 * 1024;

type KeySet = HashMap<String, Arc<DecodingKey>>;

/// The keys at a URL: a snapshot that verification reads, and the fetching that renews it.
///
/// A set is asked for again after five minutes, and for a key that it does not hold, but never twice within
/// 30 seconds. While the URL does not answer, the last set goes on counting.
#[derive(Debug)]
pub struct JwkSource {
    client: reqwest::Client,
    url: reqwest::Url,
    algorithm: Algorithm,
    keys: RwLock<Arc<KeySet>>,
    last_fetch: Mutex<Option<Timestamp>>,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

impl JwkSource {
    /// A source that fetches nothing yet. Redirects are not followed.
    pub fn new(url: &str, algorithm: Algorithm) -> Result<Self, KeyError> {
        let bad = |error: &dyn std::fmt::Display| KeyError::BadJwkUrl(error.to_string());
        let url = reqwest::Url::parse(url).map_err(|error| bad(&error))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad(&"only http and https addresses are supported"));
        }
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| bad(&error))?;
        Ok(Self { client, url, algorithm, keys: RwLock::default(), last_fetch: Mutex::default() })
    }

    /// The key with this id, in the set as it is now.
    pub fn find(&self, key_id: &str) -> Option<Arc<DecodingKey>> {
        self.keys.read().get(key_id).cloned()
    }

    /// Renews the set where it is old, or where it lacks this key.
    pub async fn prepare(&self, key_id: Option<&str>, now: Timestamp) {
        let Some(key_id) = key_id else { return };
        let mut last_fetch = self.last_fetch.lock().await;
        let patience = if self.find(key_id).is_some() { LIFESPAN } else { COOL_DOWN };
        if last_fetch.is_some_and(|at| (0..patience).contains(&now.0.saturating_sub(at.0))) {
            return;
        }
        match self.fetch().await {
            Ok(keys) => *self.keys.write() = Arc::new(keys),
            Err(error) => tracing::warn!(%error, "the JWK set could not be fetched"),
        }
        *last_fetch = Some(now);
    }

    async fn fetch(&self) -> anyhow::Result<KeySet> {
        let mut response = self.client.get(self.url.clone()).send().await?.error_for_status()?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            body.extend_from_slice(&chunk);
            anyhow::ensure!(body.len() <= MAX_SET_BYTES, "the answer is larger than 1 MiB");
        }
        let document: Document = serde_json::from_slice(&body)?;
        Ok(document.keys.into_iter().filter_map(|key| self.read(key)).collect())
    }

    /// A usable key: named, meant for signatures, and of the family of the configured algorithm.
    fn read(&self, key: Value) -> Option<(String, Arc<DecodingKey>)> {
        let key: Jwk = serde_json::from_value(key).ok()?;
        let signs = matches!(key.common.public_key_use, None | Some(PublicKeyUse::Signature));
        let decoding = DecodingKey::from_jwk(&key).ok()?;
        let usable = signs && decoding.family() == self.algorithm.family();
        let id = key.common.key_id.filter(|id| usable && !id.is_empty())?;
        Some((id, Arc::new(decoding)))
    }
}
