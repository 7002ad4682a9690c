//! One WebSocket to the server, with small buffers, so that thousands fit into this process.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use futures_util::{SinkExt, StreamExt, TryStreamExt, stream};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{Message, Utf8Bytes, client::IntoClientRequest, protocol::WebSocketConfig},
};

use crate::{progress, site::Member};

/// Handshakes under way at once.
const CONNECTING: usize = 32;
/// Holds a message of these benchmarks.
const READ_BUFFER: usize = 2_048;
/// Holds what is sent at once.
const WRITE_BUFFER: usize = 8_192;
/// Longer than any answer takes on a server that works.
const PATIENCE: Duration = Duration::from_secs(60);

/// An authenticated WebSocket.
pub(crate) struct Socket(WebSocketStream<TcpStream>);

/// A text message and when it was read.
pub(crate) struct Arrival {
    /// Microseconds since the epoch, by the same clock as the server's.
    pub(crate) at: i64,
    pub(crate) text: Utf8Bytes,
}

impl Arrival {
    /// The message, if it is one of the kind asked for.
    pub(crate) fn parse<M: DeserializeOwned>(&self) -> Option<M> {
        serde_json::from_str(self.text.as_str()).ok()
    }

    /// Whether it is of this `type`, for messages whose other fields do not matter.
    pub(crate) fn is(&self, kind: &str) -> bool {
        self.parse::<Kind>().is_some_and(|message| message.kind == kind)
    }
}

#[derive(serde::Deserialize)]
struct Kind {
    #[serde(rename = "type")]
    kind: String,
}

impl Socket {
    /// Connects and waits for `connection_established`.
    pub(crate) async fn connect(address: &str, path: &str, token: &str) -> anyhow::Result<Self> {
        let mut request = format!("ws://{address}{path}").into_client_request()?;
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse()?);
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER).write_buffer_size(WRITE_BUFFER);
        let (stream, _) = client_async_with_config(request, stream, Some(config)).await?;
        let mut socket = Self(stream);
        socket.wait_for("connection_established").await?;
        Ok(socket)
    }

    /// Waits until everything sent before was handled by the server, and everything that it sent meanwhile is read and
    /// thrown away.
    pub(crate) async fn settle(&mut self) -> anyhow::Result<()> {
        self.send(&holodrive_protocol::socket::CommonClientMessage::Ping).await?;
        self.wait_for("pong").await
    }

    /// Waits for a message of this `type`; those before it are thrown away.
    pub(crate) async fn wait_for(&mut self, kind: &str) -> anyhow::Result<()> {
        let found = async {
            loop {
                let arrival = self.next().await?;
                anyhow::ensure!(!arrival.is("error"), "refused: {}", arrival.text);
                if arrival.is(kind) {
                    return Ok(());
                }
            }
        };
        timeout(PATIENCE, found).await.with_context(|| format!("no {kind} within {PATIENCE:?}"))?
    }

    pub(crate) async fn send(&mut self, message: &impl Serialize) -> anyhow::Result<()> {
        Ok(self.0.send(Message::text(serde_json::to_string(message)?)).await?)
    }

    /// Sends a message in one piece with the next one that is sent.
    pub(crate) async fn hold(&mut self, message: &impl Serialize) -> anyhow::Result<()> {
        Ok(self.0.feed(Message::text(serde_json::to_string(message)?)).await?)
    }

    /// Closes the connection and waits until the server has let go of it.
    pub(crate) async fn close(mut self) -> anyhow::Result<()> {
        self.0.close(None).await?;
        while self.0.try_next().await?.is_some() {}
        Ok(())
    }

    /// The next text message. Pings are answered on the way. Safe to cancel.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Arrival> {
        loop {
            match self.0.next().await.context("the server closed the connection")?? {
                Message::Text(text) => return Ok(Arrival { at: now_micros(), text }),
                Message::Close(frame) => anyhow::bail!("the server closed the connection: {frame:?}"),
                _ => {}
            }
        }
    }
}

/// Microseconds since the epoch.
pub(crate) fn now_micros() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX)
}

/// Connects everyone, some at a time.
pub(crate) async fn connect_all(address: &str, path: &str, members: &[Member]) -> anyhow::Result<Vec<Socket>> {
    let connecting = stream::iter(members).map(|member| Socket::connect(address, path, &member.token));
    let mut connecting = connecting.buffered(CONNECTING);
    let mut sockets = Vec::with_capacity(members.len());
    while let Some(socket) = connecting.try_next().await? {
        sockets.push(socket);
        progress::show("connected", sockets.len(), members.len());
    }
    Ok(sockets)
}
