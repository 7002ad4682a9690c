use std::{
    collections::VecDeque,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use holodrive_protocol::{
    Timestamp, UserId,
    socket::{CommonClientMessage, CommonServerMessage, ErrorCode, ErrorMessage},
};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{
    Close, Frame,
    outbound::{Outbound, Outgoing, TransientKey},
};
use crate::{
    accounts::{Accounts, Credential, Identity, Refusal, User},
    telemetry::Metrics,
};

/// Names a connection within this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(u64);

impl ConnectionId {
    pub(super) fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed))
    }
}

/// One open socket, as features see it: who is there, and how to reach him.
pub struct Connection {
    id: ConnectionId,
    user_id: UserId,
    address: IpAddr,
    endpoint: &'static str,
    accounts: Arc<Accounts>,
    metrics: Arc<Metrics>,
    outbound_limit: Option<usize>,
    state: Mutex<State>,
    /// Wakes the transport when something is queued or the connection is to be closed.
    changed: Notify,
    /// Wakes [`Connection::send_when_room`] when the transport has taken what waited.
    taken: Notify,
}

struct State {
    identity: Identity,
    outbound: Outbound,
    pings: Pings,
}

/// Pings on their way, and what their pongs prove. A pong answers all pings before it, too.
#[derive(Default)]
struct Pings {
    last: u64,
    answered: u64,
    receipts: VecDeque<(u64, i64)>,
}

/// What is needed to make a [`Connection`].
pub(super) struct NewConnection {
    pub(super) identity: Identity,
    pub(super) address: IpAddr,
    pub(super) endpoint: &'static str,
    pub(super) accounts: Arc<Accounts>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) outbound_limit: Option<usize>,
}

impl Connection {
    pub(super) fn new(new: NewConnection) -> Arc<Self> {
        let NewConnection { identity, address, endpoint, accounts, metrics, outbound_limit } = new;
        let user_id = identity.user.id;
        let state = State { identity, outbound: Outbound::default(), pings: Pings::default() };
        Arc::new(Self {
            id: ConnectionId::next(),
            user_id,
            address,
            endpoint,
            accounts,
            metrics,
            outbound_limit,
            state: Mutex::new(state),
            changed: Notify::new(),
            taken: Notify::new(),
        })
    }

    /// Its name in this process.
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// Whose it is; never changes.
    pub fn user_id(&self) -> UserId {
        self.user_id
    }

    /// Whose it is, as of the last look at the database.
    pub fn user(&self) -> Arc<User> {
        Arc::clone(&self.state.lock().identity.user)
    }

    /// The address of the client.
    pub(super) fn address(&self) -> IpAddr {
        self.address
    }

    /// Sends a message that must not be lost. A connection that has no room for it is closed, and resumes.
    pub fn send(&self, frame: Frame) {
        self.push(Outgoing::Text(frame));
    }

    /// Sends a message of a replay, which may be longer than the queue: instead of closing a connection that has no room
    /// for it, waits until the queue is at most half full.
    pub async fn send_when_room(&self, frame: Frame) {
        while !self.push_within_half(&frame) {
            self.taken.notified().await;
        }
    }

    /// Whether the connection is to be closed: it takes no more messages.
    pub fn is_closing(&self) -> bool {
        self.state.lock().outbound.close.is_some()
    }

    /// Sends binary data.
    #[cfg(feature = "test-hooks")]
    pub(super) fn send_binary(&self, frame: Frame) {
        self.push(Outgoing::Binary(frame));
    }

    /// Sends a message, and has [`super::Session::received`] told once the client has proved that it got it: a ping
    /// follows the message, and its pong is the proof.
    pub fn send_with_receipt(&self, frame: Frame, receipt: i64) {
        self.send(frame);
        self.ask_receipt(receipt);
    }

    /// Has [`super::Session::received`] told once the client has proved that it got everything sent so far.
    pub fn ask_receipt(&self, receipt: i64) {
        let mut state = self.state.lock();
        let ping = state.pings.begin(Some(receipt));
        self.queue(&mut state, Outgoing::Ping(ping));
    }

    /// Sends a message that only matters while it is new: one of the same `key` that still waits is replaced, and it is
    /// dropped when the connection is behind.
    pub fn send_transient(&self, key: TransientKey, frame: Frame) {
        let mut state = self.state.lock();
        if state.outbound.close.is_none() {
            if state.outbound.push_transient(key, frame, self.outbound_limit) {
                self.metrics.transient_dropped();
            }
            self.changed.notify_one();
        }
    }

    /// Ends the connection with an error message and a close frame. The first reason counts.
    pub fn close(&self, close: Close) {
        self.state.lock().outbound.close.get_or_insert(close);
        self.changed.notify_one();
    }

    /// Sends a ping of the heartbeat.
    pub(super) fn ping(&self) {
        let mut state = self.state.lock();
        let ping = state.pings.begin(None);
        self.queue(&mut state, Outgoing::Ping(ping));
    }

    /// A pong came: gives the receipts that it proves; `None` for one that answers no ping.
    pub(super) fn pong(&self, payload: &[u8]) -> Option<Vec<i64>> {
        let number = <[u8; 8]>::try_from(payload).map(u64::from_be_bytes).ok()?;
        self.state.lock().pings.end(number)
    }

    /// Queues a message where that leaves half of the room free, or the queue is empty; tells whether it is dealt with.
    fn push_within_half(&self, frame: &Frame) -> bool {
        let mut state = self.state.lock();
        let half = self.outbound_limit.map(|limit| limit / 2);
        let done = state.outbound.close.is_some() || state.outbound.push(Outgoing::Text(frame.clone()), half).is_ok();
        if done {
            self.changed.notify_one();
        }
        done
    }

    fn push(&self, outgoing: Outgoing) {
        self.queue(&mut self.state.lock(), outgoing);
    }

    fn queue(&self, state: &mut State, outgoing: Outgoing) {
        if state.outbound.close.is_some() {
            return;
        }
        if state.outbound.push(outgoing, self.outbound_limit).is_err() {
            state.outbound.close = Some(Close::slow_consumer());
        }
        self.changed.notify_one();
    }

    /// Waits until there may be something to do for the transport.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Takes what waits for the socket.
    pub(super) fn take_outgoing(&self) -> Vec<Outgoing> {
        self.taken.notify_one();
        self.state.lock().outbound.take()
    }

    /// Counts a message of the client.
    pub(super) fn count_received(&self) {
        self.metrics.message_received(self.endpoint);
    }

    /// Counts a message that the socket was handed.
    pub(super) fn count_sent(&self) {
        self.metrics.message_sent(self.endpoint);
    }

    /// The reason to close, where there is one.
    pub(super) fn closing(&self) -> Option<Close> {
        self.state.lock().outbound.close.clone()
    }

    /// What the connection rests on.
    pub(super) fn identity(&self) -> Identity {
        self.state.lock().identity.clone()
    }

    /// When the credential runs out.
    pub(super) fn expires_at(&self) -> Option<Timestamp> {
        self.state.lock().identity.expires_at
    }

    /// Takes over what a new look at the database said about the user.
    pub(super) fn refresh(&self, user: Arc<User>) {
        self.state.lock().identity.user = user;
    }

    /// Deals with a message that every endpoint knows.
    pub(super) async fn common_message(&self, message: CommonClientMessage) -> Result<(), ErrorMessage> {
        match message {
            CommonClientMessage::Ping => self.send(Frame::json(&CommonServerMessage::Pong)),
            CommonClientMessage::Authenticate { token } => {
                let expires_at = self.authenticate(token).await?;
                self.send(Frame::json(&CommonServerMessage::Authenticated { expires_at }));
            }
        }
        Ok(())
    }

    /// Replaces the credential. A bad one changes nothing.
    async fn authenticate(&self, token: String) -> Result<Option<Timestamp>, ErrorMessage> {
        let refused = |message: &str| ErrorMessage::new(ErrorCode::Unauthorized, message);
        let identity = match self.accounts.authenticate(&Credential::AccessToken(token)).await {
            Ok(identity) => identity,
            Err(Refusal::Unavailable) => {
                return Err(ErrorMessage::new(ErrorCode::Unavailable, "the token cannot be checked now: try again"));
            }
            Err(Refusal::TokenExpired) => {
                return Err(refused("the token has expired; the old credential still counts"));
            }
            Err(Refusal::Unauthorized) => {
                return Err(refused("the token is not valid; the old credential still counts"));
            }
        };
        if identity.user.id != self.user_id {
            return Err(refused("the token belongs to another user; the old credential still counts"));
        }
        let expires_at = identity.expires_at;
        self.state.lock().identity = identity;
        self.changed.notify_one();
        Ok(expires_at)
    }
}

impl Pings {
    fn begin(&mut self, receipt: Option<i64>) -> u64 {
        self.last += 1;
        self.receipts.extend(receipt.map(|receipt| (self.last, receipt)));
        self.last
    }

    fn end(&mut self, number: u64) -> Option<Vec<i64>> {
        if number <= self.answered || number > self.last {
            return None;
        }
        self.answered = number;
        let proved = self.receipts.partition_point(|(ping, _)| *ping <= number);
        Some(self.receipts.drain(..proved).map(|(_, receipt)| receipt).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pong_proves_everything_before_it_once_and_an_unasked_one_nothing() {
        let mut pings = Pings::default();
        assert_eq!(pings.end(0), None);
        assert_eq!(pings.end(1), None, "nobody asked");
        let (first, plain, second) = (pings.begin(Some(7)), pings.begin(None), pings.begin(Some(8)));
        assert_eq!(pings.end(plain), Some(vec![7]));
        assert_eq!(pings.end(first), None, "a later pong has answered it");
        assert_eq!(pings.end(second), Some(vec![8]));
        assert_eq!(pings.end(second), None, "once");
        assert_eq!(pings.end(u64::MAX), None);
    }
}
