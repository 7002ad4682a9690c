//! A peer without a network, for the tests of features.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use holodrive_protocol::UserId;
use serde_json::Value;
use tokio::{sync::Notify, task::JoinHandle};

use super::{
    Close, Connection, Endpoint, Frame, Opening,
    connection::Carrier,
    endpoint::{AnyEndpoint, AnySession, Profile},
    engine::wire::Opcode,
    terms::Terms,
};
use crate::{
    accounts::{Accounts, Identity, Proof, User},
    clock::SystemClock,
    telemetry::Metrics,
};

/// After this long without the message that a test waits for, the test has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// The client of one connection: does what the engine and the network do otherwise.
pub(crate) struct Peer {
    pub(crate) connection: Arc<Connection>,
    session: Arc<dyn AnySession>,
    opening: JoinHandle<()>,
    bell: Arc<Bell>,
    inbox: VecDeque<Value>,
    pings: Vec<u64>,
}

impl Peer {
    /// Connects to an endpoint, as this user.
    pub(crate) async fn connect<E: Endpoint>(
        endpoint: &E,
        user: &Arc<User>,
        accounts: &Arc<Accounts>,
        opening: Opening,
        outbound_bytes: Option<usize>,
    ) -> Result<Self, Close> {
        let profile = Profile { max_message_bytes: None, outbound_bytes, rate: None, pause_when_behind: false };
        let bell = Arc::new(Bell::default());
        let carriers = Arc::new([Arc::clone(&bell) as Arc<dyn Carrier>]);
        let terms = Terms { carriers, ..quiet_terms(E::NAME, accounts, profile) };
        let connection = Connection::new(identity(user), Arc::new(terms));
        connection.carried_by(0, 0);
        let session = AnyEndpoint::open(endpoint, Arc::clone(&connection), opening).await?;
        let opening = tokio::spawn(Arc::clone(&session).opened());
        Ok(Self { connection, session, opening, bell, inbox: VecDeque::new(), pings: Vec::new() })
    }

    /// Sends a message, and waits until it is dealt with.
    pub(crate) async fn say(&self, message: Value) {
        if let Some(rest) = Arc::clone(&self.session).text(message.to_string()) {
            rest.await;
        }
    }

    /// The next message; `None` when the connection was closed.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(message) = self.inbox.pop_front() {
                return Some(message);
            }
            self.receive();
            if self.inbox.is_empty() {
                if self.connection.closing().is_some() {
                    return None;
                }
                let changed = tokio::time::timeout(PATIENCE, self.bell.0.notified()).await;
                changed.expect("the message that the test waits for does not come");
            }
        }
    }

    /// The next message.
    pub(crate) async fn hear(&mut self) -> Value {
        self.next().await.expect("the connection was closed")
    }

    /// The next message, which must be of this type.
    pub(crate) async fn hear_type(&mut self, kind: &str) -> Value {
        let message = self.hear().await;
        assert_eq!(message["type"], kind, "{message}");
        message
    }

    /// The close code, once the connection is closed.
    pub(crate) async fn closed(&mut self) -> u16 {
        while self.next().await.is_some() {}
        self.connection.closing().unwrap().code
    }

    /// What has arrived by now.
    pub(crate) fn heard(&mut self) -> Vec<Value> {
        self.receive();
        self.inbox.drain(..).collect()
    }

    /// Answers the pings that have arrived by now, and waits until what they prove is dealt with.
    pub(crate) async fn pong(&mut self) {
        self.receive();
        for number in std::mem::take(&mut self.pings) {
            let receipts = self.connection.pong(&number.to_be_bytes());
            Arc::clone(&self.session).received(receipts.unwrap_or_default()).await;
        }
    }

    /// Ends the connection, as the engine does.
    pub(crate) async fn hang_up(self) {
        Arc::clone(&self.session).closed().await;
    }

    /// What a slow reader had not read is lost with its connection.
    fn receive(&mut self) {
        self.connection.look();
        let waiting = self.connection.take().frames;
        if self.connection.closing().is_some_and(|close| close.code == Close::SLOW_CONSUMER) {
            return;
        }
        for frame in waiting {
            match frame.opcode() {
                Some(Opcode::Text) => self.inbox.push_back(message_of(&frame)),
                Some(Opcode::Ping) => self.pings.push(u64::from_be_bytes(payload_of(&frame).try_into().unwrap())),
                _ => {}
            }
        }
    }
}

/// The message in a text frame.
pub(crate) fn message_of(frame: &Frame) -> Value {
    serde_json::from_slice(payload_of(frame)).unwrap()
}

fn payload_of(frame: &Frame) -> &[u8] {
    &frame.wire()[header_length(frame.wire())..]
}

fn header_length(wire: &[u8]) -> usize {
    match wire[1] {
        126 => 4,
        127 => 10,
        _ => 2,
    }
}

/// Somebody.
pub(super) fn guest() -> Identity {
    somebody(UserId::Int(1))
}

/// Somebody with this key.
pub(super) fn somebody(id: UserId) -> Identity {
    identity(&Arc::new(User::unknown(id)))
}

fn identity(user: &Arc<User>) -> Identity {
    Identity { user: Arc::clone(user), proof: Proof::PLAIN_TOKEN, expires_at: None }
}

/// Terms without heartbeat, of connections that nobody carries.
pub(super) fn quiet_terms(endpoint: &'static str, accounts: &Arc<Accounts>, profile: Profile) -> Terms {
    let metrics = Arc::new(Metrics::new());
    let (received, sent) = metrics.messages(endpoint);
    Terms {
        endpoint,
        carriers: Arc::default(),
        registry: None,
        accounts: Arc::clone(accounts),
        metrics,
        received,
        sent,
        clock: Arc::new(SystemClock),
        profile,
        heartbeat_interval: None,
        heartbeat_timeout: None,
    }
}

/// Rings when the connection wants to be looked at.
#[derive(Default)]
struct Bell(Notify);

impl Carrier for Bell {
    fn attend(&self, _: usize) {
        self.0.notify_one();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.opening.abort();
    }
}
