use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode, header};

use super::Frame;

/// The answer to a sound handshake.
#[derive(Clone)]
pub(super) struct SwitchingProtocols {
    /// `Sec-WebSocket-Accept`.
    pub(super) accept: String,
    /// `Sec-WebSocket-Protocol`.
    pub(super) protocol: Option<&'static str>,
}

impl SwitchingProtocols {
    fn headers(&self) -> impl Iterator<Item = (HeaderName, &str)> {
        let always = [
            (header::UPGRADE, "websocket"),
            (header::CONNECTION, "Upgrade"),
            (header::SEC_WEBSOCKET_ACCEPT, self.accept.as_str()),
        ];
        always.into_iter().chain(self.protocol.map(|protocol| (header::SEC_WEBSOCKET_PROTOCOL, protocol)))
    }

    /// As it goes over the wire.
    pub(super) fn frame(&self) -> Frame {
        let mut wire = String::from("HTTP/1.1 101 Switching Protocols\r\n");
        for (name, value) in self.headers() {
            wire.extend([name.as_str(), ": ", value, "\r\n"]);
        }
        wire.push_str("\r\n");
        Frame::bare(wire.as_bytes())
    }
}

impl From<SwitchingProtocols> for Response {
    fn from(answer: SwitchingProtocols) -> Self {
        let mut response = Self::default();
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = answer.headers().filter_map(|(name, value)| Some((name, HeaderValue::from_str(value).ok()?)));
        response.headers_mut().extend(headers);
        response
    }
}
