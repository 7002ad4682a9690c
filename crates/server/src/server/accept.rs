//! The accept loop: from a TCP connection to requests for the router.

use std::{convert::Infallible, net::SocketAddr, pin::pin, time::Duration};

use axum::{Router, extract::ConnectInfo, response::Response};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long to wait after a failed accept: most often the process is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves HTTP/1.1 connections until `stop`, then lets requests in hand finish.
pub(super) struct Acceptor {
    pub(super) router: Router,
    /// Time that a client has to send a request's head.
    pub(super) head_timeout: Option<Duration>,
    pub(super) stop: CancellationToken,
}

impl Acceptor {
    pub(super) async fn run(self, listener: TcpListener) {
        let connections = TaskTracker::new();
        while let Some(accepted) = self.stop.run_until_cancelled(listener.accept()).await {
            match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(self.connection(stream, peer));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(listener);
        connections.close();
        connections.wait().await;
    }

    /// Serves one connection to its end, or to its upgrade.
    fn connection(&self, stream: TcpStream, peer: SocketAddr) -> impl Future<Output = ()> + Send + use<> {
        let router = TowerToHyperService::new(self.router.clone());
        let (head_timeout, stop) = (self.head_timeout, self.stop.clone());
        async move {
            // Messages are small and written whole; waiting for more only adds delay.
            if stream.set_nodelay(true).is_err() {
                return;
            }
            let service = service_fn(move |request| answer(&router, request, peer));
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(head_timeout);
            let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service).with_upgrades());
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "an HTTP connection broke");
            }
        }
    }
}

fn answer(
    router: &TowerToHyperService<Router>,
    mut request: Request<Incoming>,
    peer: SocketAddr,
) -> impl Future<Output = Result<Response, Infallible>> + Send + use<> {
    request.extensions_mut().insert(ConnectInfo(peer));
    hyper::service::Service::call(router, request)
}
