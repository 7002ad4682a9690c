use std::{convert::Infallible, io, net::SocketAddr, pin::pin, sync::Arc};

use axum::response::Response;
use bytes::Bytes;
use http::{Request, StatusCode};
use hyper::{body::Incoming, server::conn::http1, service::service_fn, upgrade::Upgraded};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::{
    front::Front,
    patience::{Patience, PatientStream, Phase, SharedPhase},
};
use crate::gateway::Visitor;

/// The most header lines of a request.
const MAX_HEADERS: usize = 100;
/// The most bytes of a request's line and headers; beyond it the answer is 431.
const MAX_HEADER_BYTES: usize = 64 * 1024;

/// Serves one connection to its end; once `stopping`, only the request in hand is finished.
pub(super) async fn serve(front: Arc<Front>, visitor: Visitor, stopping: CancellationToken) {
    let Visitor { stream, address: peer, read } = visitor;
    let stream = match writable(stream).await {
        Ok(stream) => stream,
        Err(error) => return tracing::warn!(%peer, %error, "a connection cannot be served"),
    };
    let phase = SharedPhase::default();
    let patience = Patience::new(front.app().config.handshake_timeout);
    let stream = PatientStream::new(stream, read, phase.clone(), patience);
    let service = service_fn(move |request| answer(Arc::clone(&front), request, peer, phase.clone()));
    let mut connection = pin!(builder().serve_connection(TokioIo::new(stream), service).with_upgrades());
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(%peer, %error, "a connection broke off");
    }
}

/// The stream of a socket, once the runtime knows that it can be written: a refusal of an upgrade that waits for that is lost,
/// because the HTTP library lets go of the connection before it has sent it.
async fn writable(stream: std::net::TcpStream) -> io::Result<TcpStream> {
    let stream = TcpStream::from_std(stream)?;
    stream.writable().await?;
    Ok(stream)
}

/// Answers a request, and keeps the connection's phase.
async fn answer(
    front: Arc<Front>,
    request: Request<Incoming>,
    peer: SocketAddr,
    phase: SharedPhase,
) -> Result<Response, Infallible> {
    phase.set(Phase::Busy);
    let response = front.answer(request, peer).await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        phase.set(Phase::Idle);
    }
    Ok(response)
}

/// Takes a socket out of what [`serve`] has wrapped it in, with what was read of it behind the request.
pub(super) fn take_over(upgraded: Upgraded) -> io::Result<(std::net::TcpStream, Bytes)> {
    let parts = upgraded
        .downcast::<TokioIo<PatientStream<TcpStream>>>()
        .map_err(|_| io::Error::other("the socket is wrapped in something else"))?;
    Ok((parts.io.into_inner().into_inner().into_std()?, parts.read_buf))
}

fn builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    // Silence is the stream's own affair: see `patience`.
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_headers(MAX_HEADERS)
        .max_header_size(MAX_HEADER_BYTES)
        .max_buf_size(MAX_HEADER_BYTES);
    builder
}
