//! One attempt: a signed request over HTTP, and what its answer means.

use std::time::Duration;

use holodrive_protocol::socket::ErrorCode;
use reqwest::{Client as Http, Response, StatusCode, Url, header, redirect::Policy};
use serde::Deserialize;
use uuid::Uuid;

use super::{HookError, questions, request::Request, signature::Signer};
use crate::{clock::SharedClock, config::Secret};

/// Connections that are kept open while nothing is asked.
const IDLE_CONNECTIONS: usize = 8;
const MAX_ANSWER_BYTES: usize = 1024 * 1024;
/// Characters of a reason that the client is told.
const MAX_DETAIL_CHARS: usize = 500;

/// Why there are no hooks.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The address is none.
    #[error("HOOKS_URL is not an address: {0}")]
    BadUrl(String),
    /// There is no HTTP client, or no signature.
    #[error("the hooks cannot be asked: {0}")]
    NoClient(String),
}

/// Why an attempt came to nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// Another attempt would, too.
    Refused(HookError),
    /// Another attempt may work.
    Failed(String),
}

/// Knows the back end's address, and how to sign what goes there.
pub(super) struct Client {
    http: Http,
    base: Url,
    signer: Signer,
    clock: SharedClock,
}

impl Client {
    /// Follows no redirects, and takes no proxy from the environment: a secret-bearing request goes where it was meant to.
    pub(super) fn new(url: &str, secret: &Secret, clock: SharedClock) -> Result<Self, SetupError> {
        let builder = Http::builder().redirect(Policy::none()).no_proxy().pool_max_idle_per_host(IDLE_CONNECTIONS);
        let http = builder.build().map_err(|error| SetupError::NoClient(error.to_string()))?;
        let signer = Signer::new(secret.expose()).map_err(|error| SetupError::NoClient(error.to_string()))?;
        Ok(Self { http, base: base(url)?, signer, clock })
    }

    /// Asks once; gives the body of an answer that promises that it is done.
    pub(super) async fn ask(&self, request: &Request, limit: Duration) -> Result<Vec<u8>, Failure> {
        let answer = async {
            let hook = request.hook.as_str();
            let response = self.post(hook, request.id, request.body.clone(), limit).await.map_err(failed)?;
            let status = response.status();
            Ok((status, body(response).await?))
        };
        match answer.await? {
            (status, body) if status.is_success() => Ok(body),
            (status, body) => Err(judge(status, &body)),
        }
    }

    /// Sends what is signed now.
    pub(super) async fn post(
        &self,
        hook: &str,
        id: Uuid,
        body: bytes::Bytes,
        limit: Duration,
    ) -> reqwest::Result<Response> {
        let timestamp = (self.clock.now().as_micros() / 1_000_000).to_string();
        let mut address = self.base.clone();
        address.set_path(&format!("{}{hook}/", self.base.path()));
        let signature = self.signer.sign(&timestamp, &body);
        let request = self.http.post(address).timeout(limit).header(header::CONTENT_TYPE, "application/json");
        let request = request.header("Idempotency-Key", id.to_string());
        let request = request.header("X-HoloDrive-Timestamp", timestamp).header("X-HoloDrive-Signature", signature);
        request.body(body).send().await
    }
}

/// The address, ending in a slash.
fn base(url: &str) -> Result<Url, SetupError> {
    let mut base = Url::parse(url).map_err(|error| SetupError::BadUrl(error.to_string()))?;
    if base.query().is_some() || base.fragment().is_some() {
        return Err(SetupError::BadUrl("it must end with its path, without ? and #".to_owned()));
    }
    if !base.path().ends_with('/') {
        base.set_path(&format!("{}/", base.path()));
    }
    Ok(base)
}

/// An address may hold a password.
fn failed(error: reqwest::Error) -> Failure {
    let error = anyhow::Error::new(error.without_url());
    Failure::Failed(format!("{error:#}"))
}

async fn body(mut response: Response) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ANSWER_BYTES {
            return Err(Failure::Failed("the answer is larger than 1 MiB".to_owned()));
        }
    }
    Ok(body)
}

/// What an answer means that does not promise that it is done.
fn judge(status: StatusCode, body: &[u8]) -> Failure {
    let (code, standard) = match status {
        StatusCode::UNAUTHORIZED => {
            let reason = "it does not accept the signature: HOOKS_SECRET differs, or the clocks do";
            return Failure::Failed(reason.to_owned());
        }
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => {
            return Failure::Failed(format!("it answers {status}"));
        }
        StatusCode::FORBIDDEN => (ErrorCode::Forbidden, "you may not do this"),
        StatusCode::NOT_FOUND => (ErrorCode::NotFound, "there is no such thing"),
        status if status.is_client_error() => (ErrorCode::InvalidMessage, "the back end refuses this"),
        status => return Failure::Failed(format!("it answers {status}")),
    };
    let detail = detail(body).unwrap_or_else(|| standard.to_owned());
    Failure::Refused(HookError::Refused { code, detail })
}

#[derive(Deserialize)]
struct Reason {
    detail: String,
}

fn detail(body: &[u8]) -> Option<String> {
    let detail = questions::read::<Reason>(body)?.detail;
    (!detail.is_empty()).then(|| detail.chars().take(MAX_DETAIL_CHARS).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_address_ends_in_a_slash() {
        for (given, expected) in [
            ("http://127.0.0.1:8000/holodrive/hooks/", "http://127.0.0.1:8000/holodrive/hooks/"),
            ("https://example.org/hooks", "https://example.org/hooks/"),
            ("http://example.org", "http://example.org/"),
        ] {
            assert_eq!(base(given).unwrap().as_str(), expected);
        }
        for odd in ["http://", "http://example.org/?a=b", "http://example.org/#a", "example.org"] {
            assert!(base(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn a_refusal_tells_the_client_what_it_may_know() {
        let judged = |status: u16, body: &str| match judge(StatusCode::from_u16(status).unwrap(), body.as_bytes()) {
            Failure::Refused(HookError::Refused { code, detail }) => Some((code, detail)),
            Failure::Refused(HookError::Unavailable) | Failure::Failed(_) => None,
        };
        let refused = |code, detail: &str| Some((code, detail.to_owned()));
        assert_eq!(judged(403, r#"{"detail": "Not yours."}"#), refused(ErrorCode::Forbidden, "Not yours."));
        assert_eq!(judged(404, "<html>"), refused(ErrorCode::NotFound, "there is no such thing"));
        assert_eq!(judged(409, "{}"), refused(ErrorCode::InvalidMessage, "the back end refuses this"));
        let long = format!(r#"{{"detail": "{}"}}"#, "ў".repeat(10_000));
        assert_eq!(judged(400, &long), refused(ErrorCode::InvalidMessage, &"ў".repeat(MAX_DETAIL_CHARS)));
        for failure in [401, 408, 425, 429, 301, 304, 500, 502, 503, 504] {
            assert_eq!(judged(failure, "{}"), None, "{failure}");
        }
    }
}
