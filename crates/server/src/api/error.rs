use std::collections::BTreeMap;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use holodrive_protocol::{http::ErrorBody, socket::OfferExpiredReason};
use http::StatusCode;

use crate::storage::StorageError;

/// An answer that is not 2xx.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// The status.
    pub status: StatusCode,
    /// The body.
    pub body: ErrorBody,
}

impl ApiError {
    /// An error with a text for people and a code for programs.
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        let body = ErrorBody { detail: detail.into(), code: code.to_owned(), errors: BTreeMap::new(), reason: None };
        Self { status, body }
    }

    /// 400 `invalid`, with what is wrong for each field.
    pub fn invalid(errors: BTreeMap<String, Vec<String>>) -> Self {
        let mut error = Self::new(StatusCode::BAD_REQUEST, "invalid", "some fields are missing or wrong: see errors");
        error.body.errors = errors;
        error
    }

    /// 400 `invalid` for one field.
    pub fn invalid_field(field: &str, problem: impl Into<String>) -> Self {
        Self::invalid(BTreeMap::from([(field.to_owned(), vec![problem.into()])]))
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
}

impl From<StorageError> for ApiError {
    fn from(error: StorageError) -> Self {
        tracing::error!(%error, "a request failed");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the server cannot reach its database: try again")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}
