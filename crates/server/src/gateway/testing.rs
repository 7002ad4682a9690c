//! A peer without a network, for the tests of features.

use std::{
    collections::VecDeque,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use serde_json::Value;
use tokio::task::JoinHandle;

use super::{
    Close, Connection, Endpoint, Opening,
    connection::NewConnection,
    endpoint::{AnyEndpoint, AnySession},
    outbound::Outgoing,
};
use crate::{
    accounts::{Accounts, Identity, Proof, User},
    telemetry::Metrics,
};

/// After this long without the message that a test waits for, the test has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// The client of one connection: does what the transport and the network do otherwise.
pub(crate) struct Peer {
    pub(crate) connection: Arc<Connection>,
    session: Arc<dyn AnySession>,
    opening: JoinHandle<()>,
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
        outbound_limit: Option<usize>,
    ) -> Result<Self, Close> {
        let proof = Proof::Token { password_hash: None };
        let connection = Connection::new(NewConnection {
            identity: Identity { user: Arc::clone(user), proof, expires_at: None },
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            endpoint: E::NAME,
            accounts: Arc::clone(accounts),
            metrics: Arc::new(Metrics::new()),
            outbound_limit,
        });
        let session = AnyEndpoint::open(endpoint, Arc::clone(&connection), opening).await?;
        let opening = tokio::spawn(Arc::clone(&session).opened());
        Ok(Self { connection, session, opening, inbox: VecDeque::new(), pings: Vec::new() })
    }

    /// Sends a message, and waits until it is dealt with.
    pub(crate) async fn say(&self, message: Value) {
        Arc::clone(&self.session).text(message.to_string()).await;
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
                let changed = tokio::time::timeout(PATIENCE, self.connection.changed()).await;
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
            for receipt in self.connection.pong(&number.to_be_bytes()).into_iter().flatten() {
                Arc::clone(&self.session).received(receipt).await;
            }
        }
    }

    /// Ends the connection, as the transport does.
    pub(crate) async fn hang_up(self) {
        Arc::clone(&self.session).closed().await;
    }

    /// What a slow reader had not read is lost with its connection.
    fn receive(&mut self) {
        let waiting = self.connection.take_outgoing();
        if self.connection.closing().is_some_and(|close| close.code == Close::SLOW_CONSUMER) {
            return;
        }
        for outgoing in waiting {
            match outgoing {
                Outgoing::Text(frame) => self.inbox.push_back(serde_json::from_slice(&frame.into_bytes()).unwrap()),
                Outgoing::Ping(number) => self.pings.push(number),
                #[cfg(feature = "test-hooks")]
                Outgoing::Binary(_) => {}
            }
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.opening.abort();
    }
}
