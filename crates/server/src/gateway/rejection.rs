use axum::response::Response;
use http::{HeaderValue, StatusCode, header};

use crate::api::ApiError;

/// An HTTP answer in place of the handshake.
pub(super) struct Rejection {
    error: ApiError,
    headers: &'static [(header::HeaderName, &'static str)],
}

impl Rejection {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: &str) -> Self {
        Self { error: ApiError::new(status, code, detail), headers: &[] }
    }

    pub(super) fn bad_request(detail: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_handshake", detail)
    }

    pub(super) fn forbidden(detail: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    pub(super) fn full() -> Self {
        let detail = "this server has no room for more connections: come back later";
        let headers = &[(header::RETRY_AFTER, "5")];
        Self { headers, ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail) }
    }

    pub(super) fn upgrade_required() -> Self {
        const HEADERS: &[(header::HeaderName, &str)] =
            &[(header::UPGRADE, "websocket"), (header::CONNECTION, "Upgrade"), (header::SEC_WEBSOCKET_VERSION, "13")];
        let detail = "this is a WebSocket: connect with ws:// or wss://, version 13";
        Self { headers: HEADERS, ..Self::new(StatusCode::UPGRADE_REQUIRED, "upgrade_required", detail) }
    }
}

impl From<Rejection> for Response {
    fn from(rejection: Rejection) -> Self {
        let mut response = axum::response::IntoResponse::into_response(rejection.error);
        for (name, value) in rejection.headers {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
