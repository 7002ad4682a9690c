//! From an HTTP request to an open connection, or to a refusal that the client can understand.

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpStream},
    sync::Arc,
};

use axum::{
    extract::{Query, Request},
    response::Response,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use hyper::upgrade::Upgraded;
use sha1::{Digest, Sha1};

use holodrive_protocol::socket::{CommonServerMessage, ErrorCode, ErrorMessage};

use super::{
    Close, Connection, Frame, Gateway, Opening, Route, credentials,
    engine::{Member, Newcomer, Role},
    path::PathMatch,
    stay::Stay,
};
use crate::{
    accounts::{Credential, Identity, Refusal},
    api::ApiError,
};

/// RFC 6455, section 1.3.
const ACCEPT_GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Unwraps a socket that the HTTP library has let go, with what was read of it behind the request.
pub type TakeOver = fn(Upgraded) -> io::Result<(TcpStream, Bytes)>;

/// What the query of a socket's address may hold; the first of a name counts.
struct SocketQuery(Vec<(String, String)>);

impl SocketQuery {
    fn of(uri: &http::Uri) -> Self {
        Self(Query::try_from_uri(uri).map(|query| query.0).unwrap_or_default())
    }

    fn get(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone())
    }
}

impl Gateway {
    /// Answers a request on a socket's path; `None` where no socket has this path. `take_over` knows what the server has
    /// wrapped the socket in.
    pub async fn handshake(
        self: &Arc<Self>,
        request: Request,
        peer: SocketAddr,
        take_over: TakeOver,
    ) -> Option<Response> {
        let (route, found) = self.route(request.uri().path())?;
        Some(match self.begin(request, peer, route, found, take_over).await {
            Ok(response) => response,
            Err(error) => error.into(),
        })
    }

    async fn begin(
        self: &Arc<Self>,
        mut request: Request,
        peer: SocketAddr,
        route: Route,
        found: PathMatch,
        take_over: TakeOver,
    ) -> Result<Response, Rejection> {
        let accept = check_upgrade(&request)?;
        let headers = request.headers();
        let query = SocketQuery::of(request.uri());
        let cookie_name = &self.config.session_cookie_name;
        let credential = credentials::find(query.get("token"), found.token.clone(), headers, cookie_name);
        self.check_origin(headers, credential.as_ref())?;
        let room = Some(found.object_id).filter(|id| *id != 0);
        let Some(reservation) = self.engine.reserve(room) else {
            self.tell_full(&route);
            return Err(Rejection::full());
        };
        let address = self.trusted.client_address(peer.ip(), headers);
        let since = query.get("since").map(|since| since.parse().ok().filter(|since| *since >= 0));
        let opening = Opening { object_id: found.object_id, since: since.flatten() };
        let arrival = Arrival { route, opening, address, odd_since: since == Some(None) };
        let offers_bearer = credentials::offers_bearer(headers);
        let identity = match arrival.route.endpoint.guest() {
            Some(guest) => Ok(guest),
            None => self.identify(credential.as_ref(), &found).await,
        };
        let upgrade = hyper::upgrade::on(&mut request);
        let gateway = Arc::clone(self);
        self.tasks.spawn(async move {
            match upgrade.await.map_err(io::Error::other).and_then(take_over) {
                Ok((stream, unread)) => {
                    let role = gateway.role(identity, &arrival).await;
                    gateway.engine.carry(Newcomer { reservation, stream, unread, role });
                }
                Err(error) => tracing::debug!(%error, "a socket was lost in its handshake"),
            }
        });
        Ok(switching_protocols(accept, offers_bearer))
    }

    fn tell_full(&self, route: &Route) {
        self.metrics.handshake_refused(route.terms.endpoint, "full");
        if self.full.is_due() {
            tracing::warn!("all event loops are full, newcomers get 503: raise EVENT_LOOPS or the limit of open files");
        }
    }

    fn check_origin(&self, headers: &HeaderMap, credential: Option<&Credential>) -> Result<(), Rejection> {
        let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or("null"));
        let by_cookie = matches!(credential, Some(Credential::SessionCookie(_)));
        match text(header::ORIGIN) {
            None if by_cookie => Err(Rejection::forbidden("a session cookie needs an Origin header")),
            Some(origin) if !self.origins.allows(Some(origin), text(header::HOST)) => {
                Err(Rejection::forbidden("this Origin is not allowed: see ALLOWED_ORIGINS"))
            }
            _ => Ok(()),
        }
    }

    async fn identify(&self, credential: Option<&Credential>, found: &PathMatch) -> Result<Identity, Close> {
        let Some(credential) = credential else {
            return Err(Close::unauthorized("no credentials: send an access token or a session cookie", false));
        };
        let identity = self.accounts.authenticate(credential).await.map_err(|refusal| match refusal {
            Refusal::Unauthorized => Close::unauthorized("the credentials are not valid", false),
            Refusal::TokenExpired => Close::token_expired(),
            Refusal::Unavailable => Close::unavailable(),
        })?;
        match found.user_id {
            Some(user_id) if user_id != Ok(identity.user.id) => {
                Err(Close::forbidden("the path names another user than the token"))
            }
            _ => Ok(identity),
        }
    }

    /// Opens the session, or says why not.
    async fn role(&self, identity: Result<Identity, Close>, arrival: &Arrival) -> Role {
        let opened = match identity {
            Ok(identity) => self.open(identity, arrival).await,
            Err(close) => Err(close),
        };
        opened.map_or_else(
            |close| {
                let terms = &arrival.route.terms;
                terms.metrics.handshake_refused(terms.endpoint, &close.reason());
                Role::Refused { close, max_message_bytes: terms.profile.max_message_bytes }
            },
            Role::Member,
        )
    }

    async fn open(&self, identity: Identity, arrival: &Arrival) -> Result<Member, Close> {
        let Route { endpoint, terms, .. } = &arrival.route;
        let connection = Connection::new(identity, Arc::clone(terms));
        let mut stay = Stay::begin(Arc::clone(&connection), arrival.address, self.tasks.token())?;
        let session = endpoint.open(Arc::clone(&connection), arrival.opening).await?;
        if arrival.odd_since {
            let error = ErrorMessage::new(ErrorCode::InvalidMessage, "since must be an id: nothing is replayed");
            connection.send(Frame::json(&CommonServerMessage::Error(error)));
        }
        stay.opened();
        Ok(Member { session, stay })
    }
}

/// Somebody at the door.
struct Arrival {
    route: Route,
    opening: Opening,
    address: IpAddr,
    /// `?since=` was given, and is no id.
    odd_since: bool,
}

/// An HTTP answer in place of the handshake.
struct Rejection {
    error: ApiError,
    headers: &'static [(header::HeaderName, &'static str)],
}

impl Rejection {
    fn new(status: StatusCode, code: &'static str, detail: &str) -> Self {
        Self { error: ApiError::new(status, code, detail), headers: &[] }
    }

    fn bad_request(detail: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_handshake", detail)
    }

    fn forbidden(detail: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    fn full() -> Self {
        let detail = "this server has no room for more connections: come back later";
        let headers = &[(header::RETRY_AFTER, "5")];
        Self { headers, ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail) }
    }

    fn upgrade_required() -> Self {
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

/// Checks what RFC 6455, section 4.2.1, asks of the request; gives the key's answer.
fn check_upgrade(request: &Request) -> Result<HeaderValue, Rejection> {
    let headers = request.headers();
    let says = |name, word: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|part| part.trim().eq_ignore_ascii_case(word))
    };
    if request.method() != Method::GET {
        let detail = "a WebSocket is opened with GET";
        return Err(Rejection::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail));
    }
    let version_13 = headers.get(header::SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
    if !says(header::CONNECTION, "upgrade") || !says(header::UPGRADE, "websocket") || !version_13 {
        return Err(Rejection::upgrade_required());
    }
    if request.version() != Version::HTTP_11 || headers.get_all(header::HOST).iter().count() != 1 {
        return Err(Rejection::bad_request("the handshake needs HTTP/1.1 and one Host header"));
    }
    let has_body = headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get(header::CONTENT_LENGTH).is_some_and(|length| length != "0");
    if has_body {
        return Err(Rejection::bad_request("the handshake has no body"));
    }
    accept_key(headers).ok_or_else(|| Rejection::bad_request("Sec-WebSocket-Key must be one key of 16 bytes in base64"))
}

fn accept_key(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut keys = headers.get_all(header::SEC_WEBSOCKET_KEY).iter();
    let (key, None) = (keys.next()?, keys.next()) else { return None };
    STANDARD.decode(key).ok().filter(|bytes| bytes.len() == 16)?;
    let digest = Sha1::new().chain_update(key).chain_update(ACCEPT_GUID).finalize();
    HeaderValue::from_str(&STANDARD.encode(digest)).ok()
}

fn switching_protocols(accept: HeaderValue, bearer: bool) -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    if bearer {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(credentials::BEARER_PROTOCOL));
    }
    response
}
