//! Carries bytes: drives one WebSocket, tells its session of events, and writes what waits.
//!
//! This is the only module that knows the WebSocket library and that there is a task for each connection. Everything
//! behind [`AnySession`] and [`Connection`] stays as it is when event loops take its place.

use std::{
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, future::poll_fn};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    time::{sleep_until, timeout},
};
use tokio_websockets::{CloseCode, Error, Limits, Message, ServerBuilder, WebSocketStream};

use super::{
    Close, Connection,
    endpoint::{AnySession, BoxFuture},
    heartbeat::Heartbeat,
    outbound::Outgoing,
    rate::TokenBucket,
};

/// How long a peer may take to read the last messages and to answer the close frame.
const CLOSE_GRACE: Duration = Duration::from_secs(5);

/// A WebSocket after its handshake.
pub(super) struct Transport<S> {
    socket: WebSocketStream<S>,
    /// Whether the socket holds bytes that the kernel has not taken yet.
    dirty: bool,
}

/// What a connection is held to.
pub(super) struct Rules {
    pub(super) heartbeat: Heartbeat,
    pub(super) bucket: Option<TokenBucket>,
    /// Whether to stop reading from a peer that does not read: right where it gets back what it sends.
    pub(super) pause_when_behind: bool,
}

/// How a connection ended.
enum End {
    /// We close it, and say why.
    ByUs(Close),
    /// The peer broke the protocol; the library has queued the close frame with this code.
    Violation(u16),
    /// The peer closed it.
    ByPeer,
}

/// What a look at the socket brought.
enum Io {
    Flushed(Result<(), Error>),
    Read(Option<Result<Message, Error>>),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Transport<S> {
    /// Takes over a stream whose handshake is done; `max_message_bytes` bounds what is read.
    pub(super) fn new(stream: S, max_message_bytes: Option<usize>) -> Self {
        let limits = Limits::default().max_payload_len(max_message_bytes);
        Self { socket: ServerBuilder::new().limits(limits).serve(stream), dirty: false }
    }

    /// Serves the connection until one side ends it; gives the close code.
    pub(super) async fn run(mut self, connection: &Connection, session: Arc<dyn AnySession>, mut rules: Rules) -> u16 {
        // While the session deals with an event nothing more is read, so a busy database slows down the sender.
        let mut busy: Option<BoxFuture<'static, ()>> = None;
        let mut opening = Some(Arc::clone(&session).opened());
        let end = loop {
            let read = busy.is_none() && !(rules.pause_when_behind && self.dirty);
            if let Err(close) = rules.heartbeat.tick(connection, read) {
                // A peer that does not take what it is sent cannot have seen the ping.
                let behind = self.dirty && close.code == Close::IDLE_TIMEOUT;
                connection.close(if behind { Close::slow_consumer() } else { close });
            }
            if let Some(close) = connection.closing() {
                break End::ByUs(close);
            }
            self.fill(connection);
            let timer = rules.heartbeat.next(connection, read);
            tokio::select! {
                biased;
                () = finished(&mut busy) => {
                    busy = None;
                    rules.heartbeat.heard();
                }
                () = finished(&mut opening) => opening = None,
                io = self.io(read) => match handle(io, connection, &session, &mut rules) {
                    Ok(event) => busy = event.or(busy),
                    Err(end) => break end,
                },
                // After the socket: what keeps being queued must not keep anything from being written.
                () = connection.changed() => {}
                () = sleep_until(timer) => {}
            }
        };
        if let Some(event) = busy {
            event.await;
        }
        self.end(connection, end).await
    }

    /// Refuses a connection: the error message, then the close frame.
    pub(super) async fn refuse(mut self, close: &Close) -> u16 {
        self.queue_farewell(close);
        self.finish().await;
        close.code
    }

    /// Hands the socket what waits, once it is rid of what it had: so the bound of the queue holds.
    fn fill(&mut self, connection: &Connection) {
        if self.dirty {
            return;
        }
        for outgoing in connection.take_outgoing() {
            connection.count_sent();
            self.queue(message(outgoing));
        }
    }

    /// A socket that is closed already does not take the message; its end is noticed by reading.
    fn queue(&mut self, message: Message) {
        self.dirty |= self.socket.start_send_unpin(message).is_ok();
    }

    /// Writes what the socket holds, and reads the next message where `read` allows.
    async fn io(&mut self, read: bool) -> Io {
        poll_fn(|cx| {
            if self.dirty
                && let Poll::Ready(flushed) = self.socket.poll_flush_unpin(cx)
            {
                self.dirty = false;
                return Poll::Ready(Io::Flushed(flushed));
            }
            if read { self.socket.poll_next_unpin(cx).map(Io::Read) } else { Poll::Pending }
        })
        .await
    }

    async fn end(mut self, connection: &Connection, end: End) -> u16 {
        let code = match end {
            End::ByUs(close) => {
                if close.code != Close::SLOW_CONSUMER {
                    connection.take_outgoing().into_iter().for_each(|outgoing| self.queue(message(outgoing)));
                }
                self.queue_farewell(&close);
                close.code
            }
            End::Violation(code) => {
                self.queue_farewell(&Close { code, error: None });
                code
            }
            End::ByPeer => 1000,
        };
        self.finish().await;
        code
    }

    fn queue_farewell(&mut self, close: &Close) {
        if let Some(frame) = close.last_frame() {
            self.queue(Message::text(frame.into_bytes()));
        }
        if let Ok(code) = CloseCode::try_from(close.code) {
            self.queue(Message::close(Some(code), &close.reason()));
        }
    }

    /// Completes the closing handshake, and reads what the peer still sends: an unread byte would reset the connection,
    /// and the close frame with it.
    async fn finish(mut self) {
        let _ = timeout(CLOSE_GRACE, async move {
            if self.socket.close().await.is_ok() {
                let mut rest = self.socket.into_inner();
                let mut discarded = [0; 1024];
                while rest.read(&mut discarded).await.is_ok_and(|bytes| bytes > 0) {}
            }
        })
        .await;
    }
}

/// What a look at the socket means: something for the session to deal with, or the end.
fn handle(
    io: Io,
    connection: &Connection,
    session: &Arc<dyn AnySession>,
    rules: &mut Rules,
) -> Result<Option<BoxFuture<'static, ()>>, End> {
    match io {
        Io::Flushed(flushed) => flushed.map(|()| None).map_err(|error| ended_by(&error)),
        Io::Read(Some(Ok(message))) => {
            rules.heartbeat.heard();
            event(message, connection, Arc::clone(session), rules.bucket.as_mut())
        }
        Io::Read(Some(Err(error))) => Err(ended_by(&error)),
        Io::Read(None) => Err(End::ByPeer),
    }
}

/// What a message means for the session.
fn event(
    message: Message,
    connection: &Connection,
    session: Arc<dyn AnySession>,
    bucket: Option<&mut TokenBucket>,
) -> Result<Option<BoxFuture<'static, ()>>, End> {
    if message.is_close() {
        return Ok(None);
    }
    // A pong that answers nothing is the peer's own idea, and counts as its messages do.
    if message.is_pong()
        && let Some(receipts) = connection.pong(message.as_payload())
    {
        return Ok((!receipts.is_empty()).then(|| received_all(session, receipts)));
    }
    if bucket.is_some_and(|bucket| !bucket.take(Instant::now())) {
        return Err(End::ByUs(Close::rate_limited("too many messages: slow down")));
    }
    if message.is_ping() || message.is_pong() {
        return Ok(None);
    }
    connection.count_received();
    Ok(Some(match message.as_text() {
        Some(text) => session.text(text.to_owned()),
        None => session.binary(Bytes::from(message.into_payload())),
    }))
}

fn received_all(session: Arc<dyn AnySession>, receipts: Vec<i64>) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        for receipt in receipts {
            Arc::clone(&session).received(receipt).await;
        }
    })
}

/// Waits for the session to be done with its event; for ever when there is none.
async fn finished(busy: &mut Option<BoxFuture<'static, ()>>) {
    match busy {
        Some(event) => event.await,
        None => std::future::pending().await,
    }
}

fn ended_by(error: &Error) -> End {
    match error {
        Error::PayloadTooLong { .. } => End::Violation(1009),
        // The library has sent the close frame that fits, 1002 or 1007.
        Error::Protocol(_) => End::Violation(1002),
        _ => End::ByPeer,
    }
}

fn message(outgoing: Outgoing) -> Message {
    match outgoing {
        Outgoing::Text(frame) => Message::text(frame.into_bytes()),
        #[cfg(feature = "test-hooks")]
        Outgoing::Binary(frame) => Message::binary(frame.into_bytes()),
        Outgoing::Ping(number) => Message::ping(number.to_be_bytes().to_vec()),
    }
}
