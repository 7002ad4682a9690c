//! Request bodies: one JSON object, of bounded size and depth, received in bounded time.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Map, Value};

use super::ApiError;

/// The longest request body, in bytes.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Receives a body of at most [`MAX_BODY_BYTES`], within `timeout`.
pub(super) async fn receive(body: Body, timeout: Option<Duration>) -> Result<Bytes, ApiError> {
    let received = Limited::new(body, MAX_BODY_BYTES).collect();
    let received = match timeout {
        Some(timeout) => tokio::time::timeout(timeout, received).await.map_err(|_| too_slow())?,
        None => received.await,
    };
    match received {
        Ok(received) => Ok(received.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(_) => Err(ApiError::bad_request("incomplete_body", "the body ended before its end")),
    }
}

/// Reads a body as a JSON object; an empty body is an empty object.
pub(super) fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    if !is_json(headers) {
        let detail = "send the body as Content-Type: application/json";
        return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail));
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(ApiError::invalid_field("non_field_errors", "Invalid data. Expected a JSON object.")),
        Err(error) => Err(ApiError::bad_request("invalid_json", format!("JSON parse error: {error}"))),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
}

fn too_large() -> ApiError {
    let detail = format!("the body is longer than {MAX_BODY_BYTES} bytes");
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
}

fn too_slow() -> ApiError {
    ApiError::new(StatusCode::REQUEST_TIMEOUT, "timeout", "the body did not arrive in time")
}
