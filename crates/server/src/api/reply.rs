use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

use super::ApiError;

/// Says that an answer is the first one to this `Idempotency-Key`, given again.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// An answer that can be stored and given again: a status and a JSON body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// JSON; empty for an answer without a body.
    pub body: String,
    /// Whether it was given before, and stored.
    pub(super) replayed: bool,
}

impl Reply {
    /// 200 with a body.
    pub fn ok(body: impl Serialize) -> Self {
        Self::json(StatusCode::OK, &body)
    }

    /// 201 with what was made.
    pub fn created(body: impl Serialize) -> Self {
        Self::json(StatusCode::CREATED, &body)
    }

    /// 204.
    pub const fn no_content() -> Self {
        Self { status: StatusCode::NO_CONTENT, body: String::new(), replayed: false }
    }

    fn json(status: StatusCode, body: &impl Serialize) -> Self {
        match serde_json::to_string(body) {
            Ok(body) => Self { status, body, replayed: false },
            Err(error) => {
                tracing::error!(%error, "an answer could not be written as JSON");
                Self::from(&ApiError::internal())
            }
        }
    }
}

impl From<&ApiError> for Reply {
    fn from(error: &ApiError) -> Self {
        Self::json(error.status, &error.body)
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        if !self.body.is_empty() {
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(header::CONTENT_TYPE, json);
            *response.body_mut() = self.body.into();
        }
        if self.replayed {
            response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}
