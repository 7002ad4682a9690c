//! Sockets for conformance suites: what comes goes back, on the very stack that serves the real endpoints.

use std::sync::Arc;

use bytes::Bytes;
use holodrive_protocol::UserId;

use super::{
    Close, Connection, Frame, Opening,
    endpoint::{AnyEndpoint, AnySession, BoxFuture, Profile},
};
use crate::{
    accounts::{Identity, Proof, User},
    config::Config,
};

/// The longest message of the unlimited echo: the largest that Autobahn sends.
const ECHO_MESSAGE_BYTES_MAX: usize = 16 << 20;

/// `/__echo`, or `/__echo_limited` with the limits of production.
pub(super) struct Echo {
    pub(super) limited: bool,
}

impl AnyEndpoint for Echo {
    fn name(&self) -> &'static str {
        "echo"
    }

    fn guest(&self) -> Option<Identity> {
        let user = User { username: "guest".into(), ..User::unknown(UserId::Int(0)) };
        Some(Identity { user: Arc::new(user), proof: Proof::PLAIN_TOKEN, expires_at: None })
    }

    fn profile(&self, config: &Config) -> Profile {
        if self.limited {
            return Profile { pause_when_behind: true, ..Profile::of_production(config) };
        }
        let max_message_bytes = Some(ECHO_MESSAGE_BYTES_MAX);
        Profile { max_message_bytes, outbound_bytes: None, rate: None, pause_when_behind: true }
    }

    fn open(&self, connection: Arc<Connection>, _: Opening) -> BoxFuture<'_, Result<Arc<dyn AnySession>, Close>> {
        Box::pin(async move { Ok(Arc::new(EchoSession { connection }) as Arc<dyn AnySession>) })
    }

    fn recheck(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

struct EchoSession {
    connection: Arc<Connection>,
}

impl AnySession for EchoSession {
    fn text(self: Arc<Self>, text: String) -> Option<BoxFuture<'static, ()>> {
        self.connection.send(Frame::text(&text));
        None
    }

    fn binary(self: Arc<Self>, data: Bytes) -> Option<BoxFuture<'static, ()>> {
        self.connection.send(Frame::binary(&data));
        None
    }

    fn received(self: Arc<Self>, _: Vec<i64>) -> BoxFuture<'static, ()> {
        Box::pin(async {})
    }

    fn closed(self: Arc<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async {})
    }
}
