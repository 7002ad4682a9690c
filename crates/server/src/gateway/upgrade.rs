//! A handshake that comes over HTTP like any other request: on a connection that has served requests before, or where the
//! event loops had no place, or where it is to be explained why there is no socket.

use std::{
    io,
    net::{SocketAddr, TcpStream},
    sync::Arc,
};

use axum::{extract::Request, response::Response};
use bytes::Bytes;
use hyper::upgrade::Upgraded;

use super::{
    Gateway,
    engine::{Greeting, Newcomer},
    handshake::Handshake,
    rejection::Rejection,
    switching::SwitchingProtocols,
};

/// Unwraps a socket that the HTTP library has let go, with what was read of it behind the request.
pub type TakeOver = fn(Upgraded) -> io::Result<(TcpStream, Bytes)>;

impl Gateway {
    /// Answers a request on a socket's path; `None` where no socket has this path. `take_over` knows what the server has
    /// wrapped the socket in.
    pub fn upgrade(self: &Arc<Self>, request: Request, peer: SocketAddr, take_over: TakeOver) -> Option<Response> {
        let (head, body) = request.into_parts();
        let read = self.read(&head, peer)?;
        let request = Request::from_parts(head, body);
        Some(match read.and_then(|handshake| self.carry(request, handshake, take_over)) {
            Ok(answer) => answer.into(),
            Err(rejection) => rejection.into(),
        })
    }

    fn carry(
        self: &Arc<Self>,
        mut request: Request,
        handshake: Handshake,
        take_over: TakeOver,
    ) -> Result<SwitchingProtocols, Rejection> {
        let Some(reservation) = self.engine.reserve(handshake.room()) else {
            self.tell_full(handshake.endpoint());
            return Err(Rejection::full());
        };
        let answer = handshake.answer.clone();
        let (upgrade, gateway) = (hyper::upgrade::on(&mut request), Arc::clone(self));
        self.tasks.spawn(async move {
            match upgrade.await.map_err(io::Error::other).and_then(take_over) {
                Ok((stream, unread)) => {
                    let greeting = Greeting::new(None, Arc::clone(&gateway).role(handshake));
                    gateway.engine.carry(Newcomer { reservation, stream, unread, greeting });
                }
                Err(error) => tracing::debug!(%error, "a socket was lost in its handshake"),
            }
        });
        Ok(answer)
    }

    fn tell_full(&self, endpoint: &'static str) {
        self.metrics.handshake_refused(endpoint, "full");
        if self.full.is_due() {
            tracing::warn!("all event loops are full, newcomers get 503: raise EVENT_LOOPS or the limit of open files");
        }
    }
}
