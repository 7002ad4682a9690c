use std::{future::Future, pin::Pin, sync::Arc};

use bytes::Bytes;
use holodrive_protocol::socket::{
    ClientMessage, CommonClientMessage, CommonServerMessage, ErrorCode, ErrorMessage, Incoming, parse,
};

use super::{Close, Connection, Frame, rate::Rate};
use crate::{accounts::Identity, config::Config};

/// What the handshake asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opening {
    /// The `{id}` of the path; 0 where the path has none.
    pub object_id: i64,
    /// `?since=`: the last id that the client has.
    pub since: Option<i64>,
}

/// A feature behind a path.
pub trait Endpoint: Send + Sync + 'static {
    /// One open connection of this feature.
    type Session: Session;

    /// The name in metrics and logs.
    const NAME: &'static str;
    /// Whether its sessions ask for [`Connection::user`] once they are open. Where they do not, quiet connections keep
    /// nothing of their users but the key.
    const KEEPS_USER: bool = true;

    /// An authenticated user has connected: sends the first messages, or refuses him.
    fn open(
        &self,
        connection: Arc<Connection>,
        opening: Opening,
    ) -> impl Future<Output = Result<Self::Session, Close>> + Send;

    /// Every `RECHECK_INTERVAL`, after the users of all connections were read again: closes what may not go on.
    fn recheck(&self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// One open connection of a feature. The next event comes when the last one was dealt with, beside [`Session::opened`];
/// dropping it is `closed`. What it does runs on the event loop that carries the connection, so it must never block.
pub trait Session: Send + Sync + 'static {
    /// What the client may send.
    type Message: ClientMessage + Send;

    /// The connection has begun to write: the place for what may be longer than the queue, such as a replay. Other events
    /// come meanwhile, and it is dropped when the connection ends.
    fn opened(&self) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// A message; an error goes back to the client, and the connection stays open.
    fn message(&self, message: Self::Message) -> impl Future<Output = Result<(), ErrorMessage>> + Send;

    /// The client has proved that it received what [`Connection::send_with_receipt`] sent.
    fn received(&self, receipt: i64) -> impl Future<Output = ()> + Send {
        let _ = receipt;
        async {}
    }

    /// The connection is gone.
    fn closed(&self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// A future of a type that is not named.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// [`Endpoint`] without its type, for the table of paths.
pub(super) trait AnyEndpoint: Send + Sync {
    fn name(&self) -> &'static str;

    /// What its connections are held to.
    fn profile(&self, config: &Config) -> Profile {
        Profile::of_production(config)
    }

    /// Who everybody is, on an endpoint that asks for no credentials.
    fn guest(&self) -> Option<Identity> {
        None
    }

    fn open(&self, connection: Arc<Connection>, opening: Opening) -> BoxFuture<'_, Result<Arc<dyn AnySession>, Close>>;
    fn recheck(&self) -> BoxFuture<'_, ()>;
}

impl<E: Endpoint> AnyEndpoint for E {
    fn name(&self) -> &'static str {
        E::NAME
    }

    fn open(&self, connection: Arc<Connection>, opening: Opening) -> BoxFuture<'_, Result<Arc<dyn AnySession>, Close>> {
        Box::pin(async move {
            let session = Endpoint::open(self, Arc::clone(&connection), opening).await?;
            if !E::KEEPS_USER {
                connection.forget_user();
            }
            Ok(Arc::new(Attached { connection, session }) as Arc<dyn AnySession>)
        })
    }

    fn recheck(&self) -> BoxFuture<'_, ()> {
        Box::pin(Endpoint::recheck(self))
    }
}

/// What the connections of an endpoint are held to; `None` is no limit.
pub(super) struct Profile {
    pub(super) max_message_bytes: Option<usize>,
    pub(super) outbound_bytes: Option<usize>,
    pub(super) rate: Option<Rate>,
    /// Whether to stop reading from a peer that does not read: right where it gets back what it sends.
    pub(super) pause_when_behind: bool,
}

impl Profile {
    pub(super) fn of_production(config: &Config) -> Self {
        let rate = config.message_rate.map(|rate| Rate::new(rate, config.message_burst.unwrap_or(rate)));
        Self {
            max_message_bytes: config.max_message_bytes,
            outbound_bytes: config.outbound_queue_bytes,
            rate,
            pause_when_behind: false,
        }
    }
}

/// What the engine tells a connection's session. What a message leaves to be done is a future; most leave nothing.
pub(super) trait AnySession: Send + Sync {
    fn opened(self: Arc<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async {})
    }

    fn text(self: Arc<Self>, text: String) -> Option<BoxFuture<'static, ()>>;
    fn binary(self: Arc<Self>, data: Bytes) -> Option<BoxFuture<'static, ()>>;
    fn received(self: Arc<Self>, receipts: Vec<i64>) -> BoxFuture<'static, ()>;
    fn closed(self: Arc<Self>) -> BoxFuture<'static, ()>;
}

/// A session with its connection: reads messages, and sends back what is wrong with them.
struct Attached<S> {
    connection: Arc<Connection>,
    session: S,
}

impl<S: Session> Attached<S> {
    fn refuse(&self, error: ErrorMessage) {
        self.connection.send(Frame::json(&CommonServerMessage::Error(error)));
    }
}

impl<S: Session> AnySession for Attached<S> {
    fn opened(self: Arc<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move { self.session.opened().await })
    }

    fn text(self: Arc<Self>, text: String) -> Option<BoxFuture<'static, ()>> {
        match parse(&text) {
            Err(error) => self.refuse(error),
            Ok(Incoming::Common(CommonClientMessage::Ping)) => self.connection.answer_ping(),
            Ok(Incoming::Common(CommonClientMessage::Authenticate { token })) => {
                return Some(Box::pin(async move {
                    self.connection.authenticate(token).await.unwrap_or_else(|error| self.refuse(error));
                }));
            }
            Ok(Incoming::Endpoint(message)) => {
                return Some(Box::pin(async move {
                    self.session.message(message).await.unwrap_or_else(|error| self.refuse(error));
                }));
            }
        }
        None
    }

    fn binary(self: Arc<Self>, _: Bytes) -> Option<BoxFuture<'static, ()>> {
        self.refuse(ErrorMessage::new(ErrorCode::InvalidMessage, "send JSON as a text message, not binary"));
        None
    }

    fn received(self: Arc<Self>, receipts: Vec<i64>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            for receipt in receipts {
                self.session.received(receipt).await;
            }
        })
    }

    fn closed(self: Arc<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move { self.session.closed().await })
    }
}
