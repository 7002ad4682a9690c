//! Carries the bytes of all sockets: event loops of our own, one for each core.
//!
//! After the handshake a connection belongs to one loop for the rest of its life. While it is quiet it is an entry there,
//! and nothing else: no task, no timer, no buffer.
//!
//! ```text
//!             other threads: Connection::send, close, wakers of futures
//!                                   │ its name, once until it is looked at
//!                                   ▼
//!   kernel ─► event_loop ◄─────── inbox
//!                 │  entry: serving (decoder ─► session) ─► closing
//!                 ▼
//!               pipe ─► kernel: one write for each socket and round
//! ```
//!
//! [`wire`] and [`decoder`] know RFC 6455 and no I/O; [`pipe`] knows a socket and no protocol; [`timers`] knows moments.
//! [`handover`] brings sockets into a loop's own descriptor table; [`keeper`] starts the loops, and ends what they leave.
//! [`serving`] is what a connection is while its session is open, [`reading`] how that is told of what comes, and [`closing`]
//! what the connection is afterwards.

mod closing;
mod decoder;
mod entry;
mod event_loop;
mod handover;
mod inbox;
mod keeper;
mod pipe;
mod reading;
mod serving;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
mod timers;
pub(super) mod wire;
mod work;

use std::{
    hash::{BuildHasher, RandomState},
    io,
    net::TcpStream,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Waker},
    time::Instant,
};

use bytes::Bytes;
use tokio::runtime::Handle;

use super::{
    Close,
    endpoint::{AnySession, BoxFuture},
    stay::Stay,
};
use handover::{Place, Places, Sender};
use inbox::Inbox;

/// What a loop reads at once.
const READ_BYTES: usize = 64 * 1024;

/// The loops; dropping it ends them, and cuts the connections that they still have.
pub(super) struct Engine {
    loops: Vec<Link>,
    next: AtomicUsize,
    rooms: RandomState,
}

/// What others know of a loop.
struct Link {
    inbox: Arc<Inbox>,
    sender: Sender,
    places: Places,
}

/// A place in one of the loops.
pub(super) struct Reservation {
    turn: usize,
    place: Place,
}

/// A socket whose handshake is done.
pub(super) struct Newcomer {
    pub(super) reservation: Reservation,
    pub(super) stream: TcpStream,
    /// What was read of it behind the handshake.
    pub(super) unread: Bytes,
    pub(super) role: Role,
}

/// A newcomer without his socket, which comes another way.
struct Arrival {
    place: Place,
    unread: Bytes,
    role: Role,
}

/// What becomes of a socket.
pub(super) enum Role {
    /// It is served.
    Member(Member),
    /// It is told why not.
    Refused { close: Close, max_message_bytes: Option<usize> },
}

/// Somebody who is in.
pub(super) struct Member {
    pub(super) session: Arc<dyn AnySession>,
    pub(super) stay: Stay,
}

/// What a loop needs for whatever it does.
struct Desk {
    buffer: Box<[u8]>,
    /// The moment at which this round began.
    now: Instant,
}

impl Engine {
    /// Starts so many loops. The futures of sessions run within `runtime`; they may wake its tasks and each other, and no
    /// runtime or engine that begins later.
    pub(super) fn start(loops: usize, runtime: &Handle) -> io::Result<Self> {
        Ok(Self {
            loops: keeper::start(loops.max(1), runtime.clone())?,
            next: AtomicUsize::new(0),
            rooms: RandomState::new(),
        })
    }

    /// A place for one socket; `None` when the tables of all loops are full. Those of a `room` share a loop where they can:
    /// what one says, the others are sent in the same round, and no other thread is woken.
    pub(super) fn reserve(&self, room: Option<i64>) -> Option<Reservation> {
        let first = room.map_or_else(|| self.next.fetch_add(1, Ordering::Relaxed), |room| self.turn_of(room));
        let mut turns = (0..self.loops.len()).map(|more| first.wrapping_add(more) % self.loops.len());
        turns.find_map(|turn| Some(Reservation { turn, place: self.loops[turn].places.take()? }))
    }

    #[expect(clippy::cast_possible_truncation, reason = "only the low bits choose the loop")]
    fn turn_of(&self, room: i64) -> usize {
        self.rooms.hash_one(room) as usize
    }

    /// Carries this socket from now on.
    pub(super) fn carry(&self, newcomer: Newcomer) {
        let Newcomer { reservation: Reservation { turn, place }, stream, unread, role } = newcomer;
        let Link { inbox, sender, .. } = &self.loops[turn];
        let mut arrival = Some(Arrival { place, unread, role });
        let sent = sender.send(stream, || arrival.take().into_iter().for_each(|arrival| inbox.admit(arrival)));
        if let Err(error) = sent {
            tracing::warn!(%error, "a connection could not be handed over");
        }
        if let Some(Arrival { role, .. }) = arrival {
            role.give_up();
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for link in &self.loops {
            link.inbox.stop();
        }
    }
}

impl Role {
    /// The socket is lost before it could be served.
    fn give_up(self) {
        if let Self::Member(Member { session, stay }) = self {
            Member::leave(session, None, &stay);
        }
    }
}

impl Member {
    /// Tells the session that its connection is gone, once it is done with its last event.
    fn leave(session: Arc<dyn AnySession>, event: Option<BoxFuture<'static, ()>>, stay: &Stay) {
        let mut rest: BoxFuture<'static, ()> = Box::pin(async move {
            if let Some(event) = event {
                event.await;
            }
            session.closed().await;
        });
        // Most sessions have nothing to wait for; only those that do become a task.
        if Pin::as_mut(&mut rest).poll(&mut Context::from_waker(Waker::noop())).is_pending() {
            stay.drain().spawn(rest);
        }
    }
}

impl Desk {
    fn new() -> Self {
        Self { buffer: vec![0; READ_BYTES].into(), now: Instant::now() }
    }
}
