//! How long a client may be silent: shortly while it sends the head of a request, longer between two requests, and
//! without a limit of this kind while it waits for an answer or has become a WebSocket.
//!
//! The HTTP library has one limit for the first two. A short one cuts connections that a proxy keeps for reuse, in the
//! very moment in which it reuses them.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// How long an unused connection is kept: longer than proxies keep theirs (nginx: 60 s).
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Where a connection stands in the exchange of requests and answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
    /// The head of a request is on its way; so begins every connection.
    Head,
    /// An answer is being made, or the connection is a WebSocket.
    Busy,
    /// The last request was answered.
    Idle,
}

/// The phase of a connection, shared by its stream and whoever answers.
#[derive(Clone, Debug, Default)]
pub(super) struct SharedPhase(Arc<AtomicU8>);

impl SharedPhase {
    pub(super) fn set(&self, phase: Phase) {
        self.0.store(phase as u8, Ordering::Relaxed);
    }

    fn get(&self) -> Phase {
        match self.0.load(Ordering::Relaxed) {
            0 => Phase::Head,
            1 => Phase::Busy,
            _ => Phase::Idle,
        }
    }
}

/// How long a client may be silent; `None` is for ever.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// In the middle of a request's head.
    pub(super) head: Option<Duration>,
    /// Between two requests.
    pub(super) idle: Option<Duration>,
}

impl Patience {
    /// The server's, with the `HANDSHAKE_TIMEOUT` that is set.
    pub(super) fn new(handshake_timeout: Option<Duration>) -> Self {
        Self { head: handshake_timeout, idle: Some(KEEP_ALIVE) }
    }
}

/// A stream whose reads fail once its client has been silent for too long.
pub(super) struct PatientStream<S> {
    stream: S,
    /// What was read of it before.
    read: Bytes,
    phase: SharedPhase,
    patience: Patience,
    /// The limit of the phase in which it was set.
    limit: Option<(Phase, Pin<Box<Sleep>>)>,
}

impl<S> PatientStream<S> {
    pub(super) fn new(stream: S, read: Bytes, phase: SharedPhase, patience: Patience) -> Self {
        Self { stream, read, phase, patience, limit: None }
    }

    /// The stream itself, to which no limit applies any more.
    pub(super) fn into_inner(self) -> S {
        self.stream
    }

    /// Whether the limit of this phase has passed; wakes the reader when it will have.
    fn poll_limit(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let phase = self.phase.get();
        if self.limit.as_ref().is_none_or(|(of, _)| *of != phase) {
            let patience = match phase {
                Phase::Head => self.patience.head,
                Phase::Busy => None,
                Phase::Idle => self.patience.idle,
            };
            self.limit = patience.map(|patience| (phase, Box::pin(sleep(patience))));
        }
        match &mut self.limit {
            Some((_, limit)) => limit.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PatientStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.read.is_empty() {
            let count = self.read.len().min(buffer.remaining());
            buffer.put_slice(&self.read.split_to(count));
            return Poll::Ready(Ok(()));
        }
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if read.is_ready() {
            if self.phase.get() == Phase::Idle {
                self.phase.set(Phase::Head);
            }
            return read;
        }
        self.poll_limit(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PatientStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    const SHORT: Option<Duration> = Some(Duration::from_millis(20));

    fn pair(patience: Patience) -> (DuplexStream, PatientStream<DuplexStream>, SharedPhase) {
        let ((client, server), phase) = (duplex(64), SharedPhase::default());
        (client, PatientStream::new(server, Bytes::new(), phase.clone(), patience), phase)
    }

    async fn timed_out(mut stream: PatientStream<DuplexStream>) -> bool {
        stream.read_to_end(&mut Vec::new()).await.is_err_and(|error| error.kind() == io::ErrorKind::TimedOut)
    }

    #[tokio::test]
    async fn half_a_head_is_not_waited_for_longer() {
        let (mut client, stream, _) = pair(Patience { head: SHORT, idle: None });
        client.write_all(b"GET / HT").await.unwrap();
        assert!(timed_out(stream).await);
    }

    #[tokio::test]
    async fn a_connection_that_is_kept_has_its_own_limit() {
        let (_client, stream, phase) = pair(Patience { head: None, idle: SHORT });
        phase.set(Phase::Idle);
        assert!(timed_out(stream).await);
    }

    #[tokio::test]
    async fn the_next_head_is_timed_from_its_first_byte() {
        let (mut client, stream, phase) = pair(Patience { head: SHORT, idle: None });
        phase.set(Phase::Idle);
        client.write_all(b"G").await.unwrap();
        assert!(timed_out(stream).await);
    }

    #[tokio::test]
    async fn who_waits_for_an_answer_may_wait() {
        let (client, mut stream, phase) = pair(Patience { head: SHORT, idle: SHORT });
        phase.set(Phase::Busy);
        let several_limits = Duration::from_millis(100);
        tokio::time::timeout(several_limits, stream.read(&mut [0])).await.unwrap_err();
        drop(client);
        assert!(!timed_out(stream).await, "the client's end is an end, not a silence");
    }
}
