use std::collections::BTreeMap;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use holodrive_protocol::{http::ErrorBody, socket::OfferExpiredReason};
use http::{HeaderValue, StatusCode, header};

use crate::storage::StorageError;

/// What a 401 asks for, in SimpleJWT's words.
const CHALLENGE: HeaderValue = HeaderValue::from_static("Bearer realm=\"api\"");

/// An answer that is not 2xx.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub body: Box<ErrorBody>,
    /// With 429 and 503: whole seconds after which another try makes sense.
    pub retry_after: Option<u64>,
}

impl ApiError {
    /// An error with a text for people and a code for programs.
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        let (detail, code) = (detail.into(), code.to_owned());
        let body = ErrorBody {
            detail,
            code,
            errors: BTreeMap::new(),
            reason: None,
            attempts_left: None,
            messages: Vec::new(),
        };
        Self { status, body: Box::new(body), retry_after: None }
    }

    /// 400 with a code of its own.
    pub fn bad_request(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 400 `invalid`, with what is wrong for each field.
    pub fn invalid(errors: BTreeMap<String, Vec<String>>) -> Self {
        let mut error = Self::bad_request("invalid", "some fields are missing or wrong: see errors");
        error.body.errors = errors;
        error
    }

    /// 400 `invalid` for one field.
    pub fn invalid_field(field: &str, problem: impl Into<String>) -> Self {
        Self::invalid(BTreeMap::from([(field.to_owned(), vec![problem.into()])]))
    }

    /// 401: who are you?
    pub fn unauthorized(code: &str, detail: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, detail)
    }

    /// 403 `forbidden`.
    pub fn forbidden(detail: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// 404 `not_found`: there is no such thing, or not for this user; the two look the same.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "there is no such thing")
    }

    /// 409 with a code of its own.
    pub fn conflict(code: &str, detail: &str) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 409 `offer_expired`.
    pub fn offer_expired(reason: OfferExpiredReason) -> Self {
        let mut error = Self::conflict("offer_expired", "this offer can no longer be accepted");
        error.body.reason = Some(reason);
        error
    }

    /// 409 `wrong_pin`, with how many more may be tried.
    pub fn wrong_pin(attempts_left: u32) -> Self {
        let mut error = Self::conflict("wrong_pin", "this is not the PIN that the rider was shown");
        error.body.attempts_left = Some(attempts_left);
        error
    }

    /// 429 `rate_limited`, until that many seconds have passed.
    pub fn rate_limited(detail: &str, retry_after: u64) -> Self {
        let error = Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail);
        Self { retry_after: Some(retry_after), ..error }
    }

    /// 500 `internal`: the fault is ours, and the log tells which.
    pub fn internal() -> Self {
        let detail = "the server made a mistake; it was logged";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// 503 `unavailable`.
    pub fn unavailable() -> Self {
        let detail = "the server cannot reach its database: try again";
        let error = Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail);
        Self { retry_after: Some(1), ..error }
    }
}

impl From<StorageError> for ApiError {
    fn from(error: StorageError) -> Self {
        tracing::error!(%error, "a request failed");
        Self::unavailable()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, CHALLENGE);
        }
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
