//! A handshake that an event loop reads by itself, the usual case: the first request of a connection, and a sound one.
//! Everything else goes to HTTP.

use std::{net::SocketAddr, sync::Arc};

use http::{HeaderName, HeaderValue, Method, Request, Version, request::Parts};
use httparse::{EMPTY_HEADER, Status};

use super::{
    Gateway,
    engine::{Answer, Doorman, Greeting},
    path::SOCKET_ROOTS,
};

/// How a handshake begins.
const METHOD: &[u8] = b"GET ";
/// The most header lines of a request that is read here.
const MAX_HEADERS: usize = 64;
/// The longest head that is read here.
const MAX_HEAD_BYTES: usize = 16 * 1024;

impl Doorman for Gateway {
    fn ask(self: Arc<Self>, bytes: &[u8], peer: SocketAddr) -> Answer {
        if !may_be_handshake(bytes) {
            return Answer::Visitor;
        }
        let mut headers = [EMPTY_HEADER; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(bytes) {
            Ok(Status::Complete(length)) => self.welcome(&request, length, peer).unwrap_or(Answer::Visitor),
            Ok(Status::Partial) if bytes.len() < MAX_HEAD_BYTES => Answer::Wait,
            Ok(Status::Partial) | Err(_) => Answer::Visitor,
        }
    }
}

impl Gateway {
    /// `None` where it needs explaining why there is no socket.
    fn welcome(
        self: Arc<Self>,
        request: &httparse::Request<'_, '_>,
        length: usize,
        peer: SocketAddr,
    ) -> Option<Answer> {
        let handshake = self.read(&head(request)?, peer)?.ok()?;
        let (answer, room) = (Some(handshake.answer.frame()), handshake.room());
        Some(Answer::Welcome { greeting: Greeting::new(answer, self.role(handshake)), room, length })
    }
}

/// Whether a request that begins like this may ask for a socket.
fn may_be_handshake(bytes: &[u8]) -> bool {
    let (method, path) = bytes.split_at(bytes.len().min(METHOD.len()));
    let begins = |root: &&str| path.iter().zip(root.as_bytes()).all(|(one, other)| one == other);
    METHOD.starts_with(method) && SOCKET_ROOTS.iter().any(begins)
}

/// The head in the types of the HTTP library.
fn head(request: &httparse::Request<'_, '_>) -> Option<Parts> {
    let (mut head, ()) = Request::new(()).into_parts();
    head.method = Method::from_bytes(request.method?.as_bytes()).ok()?;
    head.uri = request.path?.parse().ok()?;
    head.version = if request.version? == 1 { Version::HTTP_11 } else { Version::HTTP_10 };
    head.headers.reserve(request.headers.len());
    for header in &*request.headers {
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok()?;
        head.headers.append(name, HeaderValue::from_bytes(header.value).ok()?);
    }
    Some(head)
}
