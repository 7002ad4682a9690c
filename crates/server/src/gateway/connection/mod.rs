mod flags;
mod state;

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use holodrive_protocol::{Timestamp, UserId};
use parking_lot::Mutex;

use flags::Flags;
use state::State;

use super::{
    Close, Frame,
    outbound::{Frames, TransientKey},
    terms::Terms,
};
use crate::accounts::{Grounds, Identity, Proof, User};

/// Names a connection within this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(u64);

impl ConnectionId {
    pub(super) fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed))
    }

    /// The number, which no other connection of this process has.
    pub fn number(self) -> u64 {
        self.0
    }
}

/// Whoever carries the bytes of connections.
pub(super) trait Carrier: Send + Sync {
    /// This connection has something to send, is to be closed, or may go on with what it waited for.
    fn attend(&self, token: usize);
}

/// One open socket, as features see it: who is there, and how to reach him.
pub struct Connection {
    id: ConnectionId,
    user_id: UserId,
    terms: Arc<Terms>,
    state: Mutex<State>,
    /// Which carrier of its terms carries its bytes, counted from one; none before the session is open.
    carrier: AtomicU16,
    /// Its name there.
    token: AtomicU32,
    flags: Flags,
}

/// What the carrier finds when it looks at a connection.
pub(super) struct Waiting {
    /// What is to be sent.
    pub(super) frames: Frames,
    /// Whether the credential is another one than at the last look.
    pub(super) reauthenticated: bool,
}

impl Connection {
    pub(super) fn new(identity: Identity, terms: Arc<Terms>) -> Arc<Self> {
        Arc::new(Self {
            id: ConnectionId::next(),
            user_id: identity.user.id,
            terms,
            state: Mutex::new(State::new(identity)),
            carrier: AtomicU16::new(0),
            token: AtomicU32::new(0),
            flags: Flags::default(),
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

    /// Whose it is, as of the last look at the database. Once a session is open of an endpoint that does not keep its users
    /// ([`super::Endpoint::KEEPS_USER`]), nothing but the key is known.
    pub fn user(&self) -> Arc<User> {
        let kept = self.state.lock().user.clone();
        kept.unwrap_or_else(|| Arc::new(User::unknown(self.user_id)))
    }

    /// Nobody will ask for more than the key.
    pub(super) fn forget_user(&self) {
        self.state.lock().user = None;
    }

    /// What it has in common with the others of its endpoint.
    pub(super) fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Sends a message that must not be lost. A connection that has no room for it is closed, and resumes.
    pub fn send(&self, frame: Frame) {
        self.queue(&mut self.state.lock(), frame);
        self.tell();
    }

    /// Sends a message of a replay, which may be longer than the queue: instead of closing a connection that has no room
    /// for it, waits until the queue is at most half full.
    pub async fn send_when_room(&self, frame: Frame) {
        poll_fn(|context| self.poll_send(&frame, context)).await;
        self.tell();
    }

    /// Whether the connection is to be closed: it takes no more messages.
    pub fn is_closing(&self) -> bool {
        self.flags.is_up(Flags::CLOSING)
    }

    /// Sends a message, and has [`super::Session::received`] told once the client has proved that it got it: a ping
    /// follows the message, and its pong is the proof.
    pub fn send_with_receipt(&self, frame: Frame, receipt: i64) {
        self.send(frame);
        self.ask_receipt(receipt);
    }

    /// Has [`super::Session::received`] told once the client has proved that it got everything sent so far.
    pub fn ask_receipt(&self, receipt: i64) {
        self.send_ping(Some(receipt));
    }

    /// Sends a message that only matters while it is new: one of the same `key` that still waits is replaced, and it is
    /// dropped when the connection is behind.
    pub fn send_transient(&self, key: TransientKey, frame: Frame) {
        self.queue_transient(&mut self.state.lock(), key, frame);
        self.tell();
    }

    /// [`Connection::send_transient`] of what a user does, which his own connections are not told.
    pub fn send_transient_of(&self, user_id: UserId, key: TransientKey, frame: &Frame) {
        if self.user_id != user_id {
            self.send_transient(key, frame.clone());
        }
    }

    /// Ends the connection with an error message and a close frame. The first reason counts.
    pub fn close(&self, close: Close) {
        self.set_closing(&mut self.state.lock(), close);
        self.tell();
    }

    /// Sends a ping of the heartbeat.
    pub(super) fn ping(&self) {
        self.send_ping(None);
    }

    fn send_ping(&self, receipt: Option<i64>) {
        let mut state = self.state.lock();
        let number = state.pings.begin(receipt);
        self.queue(&mut state, Frame::ping(&number.to_be_bytes()));
        drop(state);
        self.tell();
    }

    /// A pong came: gives the receipts that it proves; `None` for one that answers no ping.
    pub(super) fn pong(&self, payload: &[u8]) -> Option<Vec<i64>> {
        let number = <[u8; 8]>::try_from(payload).map(u64::from_be_bytes).ok()?;
        self.state.lock().pings.end(number)
    }

    /// Queues a message where that leaves half of the room free, or nothing waits.
    fn poll_send(&self, frame: &Frame, context: &Context<'_>) -> Poll<()> {
        let mut state = self.state.lock();
        let half = self.terms.profile.outbound_bytes.map(|limit| limit / 2);
        if state.close.is_some() || state.outbound.push(frame.clone(), half).is_ok() {
            return Poll::Ready(());
        }
        state.outbound.wait_for_room(context.waker().clone());
        Poll::Pending
    }

    /// From now on the carrier of this number is told, once for each look that it takes.
    #[expect(clippy::cast_possible_truncation, reason = "there are fewer loops than 2^16, and descriptors than 2^32")]
    pub(super) fn carried_by(&self, carrier: usize, token: usize) {
        self.token.store(token as u32, Ordering::Relaxed);
        self.carrier.store(carrier as u16 + 1, Ordering::Release);
    }

    fn tell(&self) {
        let carrier = usize::from(self.carrier.load(Ordering::Acquire)).checked_sub(1);
        if let Some(carrier) = carrier.and_then(|number| self.terms.carriers.get(number))
            && !self.flags.raise(Flags::TOLD)
        {
            carrier.attend(self.token.load(Ordering::Relaxed) as usize);
        }
    }

    /// The carrier looks: it is told again of what happens from here on.
    pub(super) fn look(&self) {
        self.flags.lower(Flags::TOLD);
    }

    /// Takes what waits for the socket.
    pub(super) fn take(&self) -> Waiting {
        let mut state = self.state.lock();
        let (frames, waits_for_room) = state.outbound.take();
        drop(state);
        let reauthenticated = self.flags.is_up(Flags::REAUTHENTICATED) && self.flags.lower(Flags::REAUTHENTICATED);
        waits_for_room.into_iter().for_each(Waker::wake);
        Waiting { frames, reauthenticated }
    }

    /// Tells how many bytes of what was taken the socket could not send yet.
    pub(super) fn set_unsent(&self, bytes: usize) {
        let waits_for_room = self.state.lock().outbound.set_unsent(bytes);
        waits_for_room.into_iter().for_each(Waker::wake);
    }

    /// The reason to close, where there is one.
    pub(super) fn closing(&self) -> Option<Close> {
        if self.is_closing() { self.state.lock().close.as_deref().cloned() } else { None }
    }

    /// What the connection rests on.
    pub(super) fn grounds(&self) -> Grounds {
        let proof = self.state.lock().proof.as_deref().cloned();
        Grounds { user_id: self.user_id, proof: proof.unwrap_or(Proof::PLAIN_TOKEN) }
    }

    /// When the credential runs out.
    pub(super) fn expires_at(&self) -> Option<Timestamp> {
        self.state.lock().expires_at()
    }

    /// Takes over what a new look at the database said about the user.
    pub(super) fn refresh(&self, user: Arc<User>) {
        self.state.lock().refresh(user);
    }

    /// From now on it rests on another credential of the same user.
    pub(super) fn renew(&self, identity: Identity) {
        let mut state = self.state.lock();
        let user = state.rest_on(identity);
        state.refresh(user);
        drop(state);
        self.flags.raise(Flags::REAUTHENTICATED);
        self.tell();
    }

    fn queue(&self, state: &mut State, frame: Frame) {
        let limit = self.terms.profile.outbound_bytes;
        if state.close.is_none() && state.outbound.push(frame, limit).is_err() {
            self.set_closing(state, Close::slow_consumer());
        }
    }

    fn queue_transient(&self, state: &mut State, key: TransientKey, frame: Frame) {
        let limit = self.terms.profile.outbound_bytes;
        if state.close.is_none() && state.outbound.push_transient(key, frame, limit) {
            self.terms.metrics.transient_dropped();
        }
    }

    fn set_closing(&self, state: &mut State, close: Close) {
        state.close.get_or_insert_with(|| Box::new(close));
        self.flags.raise(Flags::CLOSING);
    }
}

/// A future of the session waits no longer.
impl Wake for Connection {
    fn wake(self: Arc<Self>) {
        self.tell();
    }
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::*;

    /// With the counts of its `Arc` it just fits into a place of 128 bytes; the next larger one has 160.
    #[test]
    fn a_connection_is_small() {
        assert!(size_of::<Connection>() <= 128 - 16, "{}", size_of::<Connection>());
    }
}
