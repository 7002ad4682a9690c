//! From the head of a request to a session, or to a refusal that the client can understand.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::extract::Query;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header, request::Parts};
use sha1::{Digest, Sha1};

use holodrive_protocol::socket::{CommonServerMessage, ErrorCode, ErrorMessage};

use super::{
    Close, Connection, Frame, Gateway, Opening, Route,
    companion::Accompanied,
    credentials,
    endpoint::AnySession,
    engine::{Member, Role},
    path::PathMatch,
    rejection::Rejection,
    stay::Stay,
    switching::SwitchingProtocols,
};
use crate::accounts::{Credential, Identity, Refusal};

/// RFC 6455, section 1.3.
const ACCEPT_GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

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

/// A request that is a sound handshake: whoever sent it gets a socket, and hears there what becomes of him.
pub(super) struct Handshake {
    route: Arc<Route>,
    found: PathMatch,
    credential: Option<Credential>,
    opening: Opening,
    address: IpAddr,
    /// `?since=` was given, and is no id.
    odd_since: bool,
    pub(super) answer: SwitchingProtocols,
}

impl Handshake {
    /// Those of a room share an event loop.
    pub(super) fn room(&self) -> Option<i64> {
        Some(self.found.object_id).filter(|id| *id != 0)
    }

    pub(super) fn endpoint(&self) -> &'static str {
        self.route.terms.endpoint
    }
}

impl Gateway {
    /// Reads a request on a socket's path; `None` where no socket has this path.
    pub(super) fn read(&self, head: &Parts, peer: SocketAddr) -> Option<Result<Handshake, Rejection>> {
        let (route, found) = self.route(head.uri.path())?;
        Some(self.check(head, peer, route, found))
    }

    fn check(
        &self,
        head: &Parts,
        peer: SocketAddr,
        route: Arc<Route>,
        found: PathMatch,
    ) -> Result<Handshake, Rejection> {
        let (accept, headers) = (check_upgrade(head)?, &head.headers);
        let query = SocketQuery::of(&head.uri);
        let cookie_name = &self.config.session_cookie_name;
        let credential = credentials::find(query.get("token"), found.token.clone(), headers, cookie_name);
        self.check_origin(headers, credential.as_ref())?;
        let since = query.get("since").map(|since| since.parse().ok().filter(|since| *since >= 0));
        let opening = Opening { object_id: found.object_id, since: since.flatten() };
        let protocol = credentials::offers_bearer(headers).then_some(credentials::BEARER_PROTOCOL);
        Ok(Handshake {
            address: self.trusted.client_address(peer.ip(), headers),
            odd_since: since == Some(None),
            answer: SwitchingProtocols { accept, protocol },
            route,
            found,
            credential,
            opening,
        })
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

    /// Finds out who it is, and opens his session, or says why not. Whatever ends the server waits for it.
    pub(super) fn role(self: Arc<Self>, handshake: Handshake) -> impl Future<Output = Role> + Send {
        let token = self.tasks.token();
        async move {
            let _until_then = token;
            self.find_role(&handshake).await
        }
    }

    async fn find_role(&self, handshake: &Handshake) -> Role {
        let opened = match self.identify(handshake).await {
            Ok(identity) => self.open(identity, handshake).await,
            Err(close) => Err(close),
        };
        opened.map_or_else(
            |close| {
                let terms = &handshake.route.terms;
                terms.metrics.handshake_refused(terms.endpoint, &close.reason());
                Role::Refused { close, max_message_bytes: terms.profile.max_message_bytes }
            },
            Role::Member,
        )
    }

    async fn identify(&self, handshake: &Handshake) -> Result<Identity, Close> {
        if let Some(guest) = handshake.route.endpoint.guest() {
            return Ok(guest);
        }
        let Some(credential) = &handshake.credential else {
            return Err(Close::unauthorized("no credentials: send an access token or a session cookie", false));
        };
        let identity = self.accounts.authenticate(credential).await.map_err(|refusal| match refusal {
            Refusal::Unauthorized => Close::unauthorized("the credentials are not valid", false),
            Refusal::TokenExpired => Close::token_expired(),
            Refusal::Unavailable => Close::unavailable(),
        })?;
        match handshake.found.user_id {
            Some(user_id) if user_id != Ok(identity.user.id) => {
                Err(Close::forbidden("the path names another user than the token"))
            }
            _ => Ok(identity),
        }
    }

    async fn open(&self, identity: Identity, handshake: &Handshake) -> Result<Member, Close> {
        let Route { endpoint, terms, .. } = &*handshake.route;
        let connection = Connection::new(identity, Arc::clone(terms));
        let mut stay = Stay::begin(Arc::clone(&connection), handshake.address, self.tasks.token())?;
        let session = endpoint.open(Arc::clone(&connection), handshake.opening).await?;
        let session = self.accompany(session, &connection, handshake.opening).await;
        if handshake.odd_since {
            let error = ErrorMessage::new(ErrorCode::InvalidMessage, "since must be an id: nothing is replayed");
            connection.send(Frame::json(&CommonServerMessage::Error(error)));
        }
        stay.opened();
        Ok(Member { session, stay })
    }

    async fn accompany(
        &self,
        mut session: Arc<dyn AnySession>,
        connection: &Arc<Connection>,
        opening: Opening,
    ) -> Arc<dyn AnySession> {
        let endpoint = connection.terms().endpoint;
        for companion in self.companions.iter().filter(|companion| companion.accompanies(endpoint)) {
            let company = companion.accompany(endpoint, connection, opening).await;
            session = Arc::new(Accompanied { session, company });
        }
        session
    }
}

/// Checks what RFC 6455, section 4.2.1, asks of the request; gives the key's answer.
fn check_upgrade(head: &Parts) -> Result<String, Rejection> {
    let headers = &head.headers;
    let says = |name, word: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|part| part.trim().eq_ignore_ascii_case(word))
    };
    if head.method != Method::GET {
        let detail = "a WebSocket is opened with GET";
        return Err(Rejection::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail));
    }
    let version_13 = headers.get(header::SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
    if !says(header::CONNECTION, "upgrade") || !says(header::UPGRADE, "websocket") || !version_13 {
        return Err(Rejection::upgrade_required());
    }
    if head.version != Version::HTTP_11 || headers.get_all(header::HOST).iter().count() != 1 {
        return Err(Rejection::bad_request("the handshake needs HTTP/1.1 and one Host header"));
    }
    let has_body = headers.contains_key(header::TRANSFER_ENCODING)
        || headers.get(header::CONTENT_LENGTH).is_some_and(|length| length != "0");
    if has_body {
        return Err(Rejection::bad_request("the handshake has no body"));
    }
    accept_key(headers).ok_or_else(|| Rejection::bad_request("Sec-WebSocket-Key must be one key of 16 bytes in base64"))
}

fn accept_key(headers: &HeaderMap) -> Option<String> {
    let mut keys = headers.get_all(header::SEC_WEBSOCKET_KEY).iter();
    let (key, None) = (keys.next()?, keys.next()) else { return None };
    STANDARD.decode(key).ok().filter(|bytes| bytes.len() == 16)?;
    let digest = Sha1::new().chain_update(key).chain_update(ACCEPT_GUID).finalize();
    Some(STANDARD.encode(digest))
}
