//! Carries the bytes of all sockets: event loops of our own, one for each core.
//!
//! A connection that is served belongs to one loop for the rest of its life. While it is quiet it is an entry there, and
//! nothing else: no task, no timer, no buffer.
//!
//! ```text
//!             other threads: Connection::send, close, wakers of futures
//!                                   │ its name, once until it is looked at
//!                                   ▼
//!   kernel ─► event_loop ◄─────── inbox
//!                 │  entry: knocking ─► greeting ─► serving (decoder ─► session) ─► closing
//!                 ▼           └► visitors: whoever wants no WebSocket
//!               pipe ─► kernel: one write for each socket and round
//! ```
//!
//! [`wire`] and [`decoder`] know RFC 6455 and no I/O; [`pipe`] knows a socket and no protocol; [`timers`] knows moments.
//! [`door`] lets sockets in, and sends those away that belong elsewhere: to the loop of their room, or to the
//! [`visitors`], which HTTP serves. [`handover`] brings sockets from one descriptor table into another; [`keeper`] starts
//! the loops, and ends what they leave. An entry is [`knocking`] until its request is read, [`greeting`] until it is known
//! who comes, [`serving`] while its session is open ([`reading`] is how that is told of what comes), and [`closing`]
//! afterwards.

mod closing;
mod decoder;
mod door;
mod entry;
mod event_loop;
mod greeting;
mod handover;
mod inbox;
mod keeper;
mod knocking;
mod pipe;
mod reading;
mod serving;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
mod timers;
mod visitors;
pub(super) mod wire;
mod work;

use std::{
    hash::{BuildHasher, RandomState},
    io,
    net::{TcpListener, TcpStream},
    pin::Pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Waker},
    time::{Duration, Instant},
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::{runtime::Handle, sync::mpsc};

use super::{
    Close,
    connection::Carrier,
    endpoint::{AnySession, BoxFuture},
    stay::Stay,
};
use door::DoorKey;
pub(super) use door::{Answer, Doorman};
pub(super) use greeting::Greeting;
use handover::{Place, Places, Receiver, Sender};
use inbox::Inbox;
pub use visitors::{Visitor, Visitors};

/// What a loop reads at once.
const READ_BYTES: usize = 64 * 1024;

/// The loops; dropping it ends them, and cuts the connections that they still have.
pub(super) struct Engine {
    ways: Arc<Ways>,
    next: AtomicUsize,
    rooms: Rooms,
    /// Where visitors come out; taken by whoever serves them.
    way_out: Mutex<Option<Receiver>>,
}

/// The ways of sockets between threads. All tables know them under the same numbers.
struct Ways {
    loops: Vec<Link>,
    /// To the common table.
    out: Sender,
}

/// What others know of a loop.
struct Link {
    inbox: Arc<Inbox>,
    sender: Sender,
    places: Places,
}

/// Which loop carries a room.
#[derive(Clone, Default)]
struct Rooms(RandomState);

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
    pub(super) greeting: Greeting,
}

/// What comes to a loop, without the descriptor: that comes another way.
enum Arrival {
    Newcomer {
        place: Place,
        unread: Bytes,
        greeting: Greeting,
    },
    /// Where newcomers come from.
    Door(DoorKey),
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
        let rooms = Rooms::default();
        let (ways, way_out) = keeper::start(loops.max(1), &rooms, runtime.clone())?;
        Ok(Self { ways, next: AtomicUsize::new(0), rooms, way_out: Mutex::new(Some(way_out)) })
    }

    /// Lets everybody in who comes to `listener`, and asks `doorman` what becomes of him; whoever has not said what he
    /// wants within `patience` is cut off. Gives those who want something else than a WebSocket. There is one door.
    pub(super) fn listen(
        &self,
        listener: &TcpListener,
        doorman: &Weak<dyn Doorman>,
        patience: Option<Duration>,
    ) -> io::Result<Visitors> {
        let way_out = self.way_out.lock().take().ok_or_else(|| io::Error::other("the door is open already"))?;
        let (sender, visits) = mpsc::unbounded_channel();
        for Link { inbox, sender: way, .. } in &self.ways.loops {
            let key = DoorKey { doorman: Weak::clone(doorman), visits: sender.clone(), patience };
            way.send(listener, || inbox.admit(Arrival::Door(key)))?;
        }
        Ok(Visitors::new(way_out, visits))
    }

    /// Lets nobody in any more; those who had not said yet what they want are cut off.
    pub(super) fn shut_door(&self) {
        self.ways.loops.iter().for_each(|link| link.inbox.shut_door());
    }

    /// Who is told when a connection is to be looked at: the loops, in the order of their numbers.
    pub(super) fn carriers(&self) -> Arc<[Arc<dyn Carrier>]> {
        self.ways.loops.iter().map(|link| Arc::clone(&link.inbox) as Arc<dyn Carrier>).collect()
    }

    /// A place for one socket; `None` when the tables of all loops are full. Those of a `room` share a loop where they can:
    /// what one says, the others are sent in the same round, and no other thread is woken.
    pub(super) fn reserve(&self, room: Option<i64>) -> Option<Reservation> {
        let loops = &self.ways.loops;
        let next = || self.next.fetch_add(1, Ordering::Relaxed);
        let first = room.map_or_else(next, |room| self.rooms.turn_of(room, loops.len()));
        let mut turns = (0..loops.len()).map(|more| first.wrapping_add(more) % loops.len());
        turns.find_map(|turn| Some(Reservation { turn, place: loops[turn].places.take()? }))
    }

    /// Carries this socket from now on.
    pub(super) fn carry(&self, newcomer: Newcomer) {
        let Newcomer { reservation: Reservation { turn, place }, stream, unread, greeting } = newcomer;
        let Link { inbox, sender, .. } = &self.ways.loops[turn];
        let mut arrival = Some((place, greeting));
        let sent = sender.send(&stream, || {
            if let Some((place, greeting)) = arrival.take() {
                inbox.admit(Arrival::Newcomer { place, unread, greeting });
            }
        });
        if let Err(error) = sent {
            tracing::warn!(%error, "a connection could not be handed over");
        }
        if let Some((_, greeting)) = arrival {
            greeting.give_up();
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        for link in &self.ways.loops {
            link.inbox.stop();
        }
    }
}

impl Rooms {
    #[expect(clippy::cast_possible_truncation, reason = "only the low bits choose the loop")]
    fn turn_of(&self, room: i64, loops: usize) -> usize {
        self.0.hash_one(room) as usize % loops
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
