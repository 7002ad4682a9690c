//! One call: sent, tried again where that is safe, and its answer read.

use std::collections::BTreeMap;

use holodrive_protocol::http::ErrorBody;
use reqwest::{Method, Response, StatusCode, header};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::{Api, Credential};
use crate::Error;

/// Header that makes a repeated unsafe call take effect once.
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
/// The longest part of an answer that is not ours to repeat in an error.
const EXCERPT_CHARS: usize = 200;

/// What to ask.
pub(super) struct Call {
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    body: Option<serde_json::Result<Vec<u8>>>,
    idempotency_key: Option<String>,
    anonymous: bool,
}

impl Call {
    fn new(method: Method, path: impl Into<String>) -> Self {
        let (query, body) = (Vec::new(), None);
        Self { method, path: path.into(), query, body, idempotency_key: None, anonymous: false }
    }

    pub(super) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub(super) fn post(path: impl Into<String>) -> Self {
        Self { idempotency_key: Some(Uuid::new_v4().to_string()), ..Self::new(Method::POST, path) }
    }

    /// A `PUT` says how things shall be: repeated, it changes nothing, so it needs no key.
    pub(super) fn put(path: impl Into<String>) -> Self {
        Self::new(Method::PUT, path)
    }

    /// What is gone stays gone: a repetition is told so by a 404.
    pub(super) fn delete(path: impl Into<String>) -> Self {
        Self::new(Method::DELETE, path)
    }

    /// Sent without a credential.
    pub(super) fn anonymous(self) -> Self {
        Self { anonymous: true, idempotency_key: None, ..self }
    }

    pub(super) fn query(mut self, pairs: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        self.query.extend(pairs);
        self
    }

    pub(super) fn json(self, body: &impl Serialize) -> Self {
        Self { body: Some(serde_json::to_vec(body)), ..self }
    }

    /// For error messages: the query may hold a cursor, the path holds no secret.
    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    fn unexpected(&self, reason: &dyn std::fmt::Display) -> Error {
        Error::Unexpected { call: self.name(), reason: reason.to_string() }
    }
}

impl Api {
    /// The answer as JSON.
    pub(super) async fn fetch<T: DeserializeOwned>(&self, call: Call) -> Result<T, Error> {
        let body = self.execute(&call).await?.bytes().await.map_err(transport)?;
        serde_json::from_slice(&body).map_err(|error| call.unexpected(&error))
    }

    /// Success, whatever the answer's body.
    pub(super) async fn perform(&self, call: Call) -> Result<(), Error> {
        self.execute(&call).await.map(drop)
    }

    /// The first successful answer, with a renewed token where the first one is refused.
    async fn execute(&self, call: &Call) -> Result<Response, Error> {
        let Credential::Tokens(tokens) = &self.inner.credential else {
            return self.with_retries(call, self.fixed_authorization(call).as_deref()).await;
        };
        if call.anonymous {
            return self.with_retries(call, None).await;
        }
        let token = tokens.token(None).await?;
        match self.with_retries(call, Some(&format!("Bearer {token}"))).await {
            Err(Error::Refused { status: 401, .. }) => {
                let token = tokens.token(Some(&token)).await?;
                self.with_retries(call, Some(&format!("Bearer {token}"))).await
            }
            answer => answer,
        }
    }

    fn fixed_authorization(&self, call: &Call) -> Option<String> {
        match &self.inner.credential {
            Credential::ApiKey(key) if !call.anonymous => Some(format!("Api-Key {key}")),
            _ => None,
        }
    }

    async fn with_retries(&self, call: &Call, authorization: Option<&str>) -> Result<Response, Error> {
        let mut backoff = self.backoff();
        let mut left = self.inner.retries;
        loop {
            match self.once(call, authorization).await {
                Err(error) if left > 0 && is_worth_a_retry(&error) => {
                    left -= 1;
                    tokio::time::sleep(backoff.next_wait()).await;
                }
                answer => return answer,
            }
        }
    }

    async fn once(&self, call: &Call, authorization: Option<&str>) -> Result<Response, Error> {
        let response = self.request(call, authorization)?.send().await.map_err(transport)?;
        match response.status() {
            status if status.is_success() => Ok(response),
            status => Err(refusal(call, status, response).await),
        }
    }

    fn request(&self, call: &Call, authorization: Option<&str>) -> Result<reqwest::RequestBuilder, Error> {
        let mut url = self.url(&call.path);
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        let mut request = self.inner.http.request(call.method.clone(), url);
        let key = call.idempotency_key.as_deref().map(|key| (IDEMPOTENCY_KEY, key));
        for (name, value) in key.into_iter().chain(authorization.map(|value| (header::AUTHORIZATION.as_str(), value))) {
            request = request.header(name, value);
        }
        match &call.body {
            None => Ok(request),
            Some(Ok(body)) => Ok(request.header(header::CONTENT_TYPE, "application/json").body(body.clone())),
            Some(Err(error)) => Err(call.unexpected(&error)),
        }
    }
}

/// Every call of this client may be repeated: it reads, or sets, or carries an idempotency key, or asks for tokens.
const fn is_worth_a_retry(error: &Error) -> bool {
    matches!(error, Error::Transport(_) | Error::Refused { status: 503, .. })
}

fn transport(error: reqwest::Error) -> Error {
    Error::Transport(error.without_url())
}

async fn refusal(call: &Call, status: StatusCode, response: Response) -> Error {
    let text = match response.text().await {
        Ok(text) => text,
        Err(error) => return transport(error),
    };
    match serde_json::from_str::<ErrorBody>(&text) {
        Ok(body) => Error::Refused { status: status.as_u16(), body: Box::new(body) },
        Err(_) if status.is_client_error() || status.is_server_error() => foreign_refusal(status, &text),
        Err(_) => call.unexpected(&format_args!("status {status}")),
    }
}

/// A refusal by something in front of the server, which does not speak its errors.
fn foreign_refusal(status: StatusCode, text: &str) -> Error {
    let excerpt: String = text.chars().take(EXCERPT_CHARS).collect();
    let detail = if excerpt.is_empty() { status.to_string() } else { excerpt };
    let body = ErrorBody {
        detail,
        code: "unknown".to_owned(),
        errors: BTreeMap::new(),
        reason: None,
        attempts_left: None,
        messages: Vec::new(),
    };
    Error::Refused { status: status.as_u16(), body: Box::new(body) }
}
