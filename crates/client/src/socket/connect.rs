//! Opens one WebSocket connection.

use std::time::Duration;

use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{
        Error as WsError,
        client::IntoClientRequest,
        http::{HeaderValue, Request, header::AUTHORIZATION},
        protocol::WebSocketConfig,
    },
};

use super::ending::{Lost, Verdict};
use crate::Api;

/// How long the network and the handshake may take together.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Grown when a message is longer; the crate's default of 128 KiB is too much for a client with many sockets.
const READ_BUFFER_BYTES: usize = 4 * 1024;
/// The longest message of the server, such as a long list of initial orders.
const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

pub(super) type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A connection whose handshake succeeded; the server may still refuse in its first message.
pub(super) async fn open(api: &Api, path: &str, since: Option<i64>, token: &str) -> Result<Stream, Lost> {
    let mut url = api.socket_url(path);
    if let Some(since) = since {
        url.query_pairs_mut().append_pair("since", &since.to_string());
    }
    if url.scheme() == "wss" {
        // Fails when the process has chosen its cryptography before, which is just as well.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
    let request = request(url.as_str(), token)?;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let connecting = Box::pin(connect_async_with_config(request, Some(config), true));
    match timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(Ok((stream, _))) => Ok(stream),
        Ok(Err(error)) => Err(refused(error)),
        Err(_) => Err(Lost::retry("no answer to the handshake in time")),
    }
}

/// The token travels in a header: addresses end up in logs.
fn request(url: &str, token: &str) -> Result<Request<()>, Lost> {
    let header = HeaderValue::try_from(format!("Bearer {token}"));
    let mut header =
        header.map_err(|_| Lost::new(Verdict::Unauthorized, "the token has characters that no token has"))?;
    header.set_sensitive(true);
    let mut request = url.into_client_request().map_err(refused)?;
    request.headers_mut().insert(AUTHORIZATION, header);
    Ok(request)
}

fn refused(error: WsError) -> Lost {
    match error {
        WsError::Http(response) => match response.status().as_u16() {
            401 => Lost::new(Verdict::Unauthorized, "status 401"),
            429 | 500..=599 => Lost::retry(format!("status {}", response.status())),
            _ => Lost::new(Verdict::Refused, format!("status {}", response.status())),
        },
        WsError::Url(error) => Lost::new(Verdict::Refused, error.to_string()),
        error => Lost::retry(error.to_string()),
    }
}
