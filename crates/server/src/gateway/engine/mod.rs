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
//! [`serving`] is what a connection is while its session is open, [`closing`] what it is afterwards.

mod closing;
mod decoder;
mod entry;
mod event_loop;
mod inbox;
mod pipe;
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
    thread,
    time::Instant,
};

use bytes::Bytes;
use tokio::runtime::Handle;

use super::{
    Close,
    endpoint::{AnySession, BoxFuture},
    stay::Stay,
};
use event_loop::EventLoop;
use inbox::Inbox;

/// What a loop reads at once.
const READ_BYTES: usize = 64 * 1024;

/// The loops; dropping it ends them, and cuts the connections that they still have.
pub(super) struct Engine {
    loops: Vec<Arc<Inbox>>,
    next: AtomicUsize,
    rooms: RandomState,
}

/// A socket whose handshake is done.
pub(super) struct Newcomer {
    pub(super) stream: TcpStream,
    /// What was read of it behind the handshake.
    pub(super) unread: Bytes,
    pub(super) role: Role,
    /// What it has in common with those whom it talks to, such as a conversation.
    pub(super) room: Option<i64>,
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
    /// Starts so many loops. The futures of sessions run within `runtime`.
    pub(super) fn start(loops: usize, runtime: &Handle) -> io::Result<Self> {
        let loops = (0..loops.max(1)).map(|_| start_loop(runtime.clone())).collect::<io::Result<_>>()?;
        Ok(Self { loops, next: AtomicUsize::new(0), rooms: RandomState::new() })
    }

    /// Carries this socket from now on. Those of a room share a loop: what one says, the others are sent in the same round,
    /// and no other thread is woken.
    pub(super) fn carry(&self, newcomer: Newcomer) {
        let turn = newcomer.room.map_or_else(|| self.next.fetch_add(1, Ordering::Relaxed), |room| self.place(room));
        self.loops[turn % self.loops.len()].admit(newcomer);
    }

    #[expect(clippy::cast_possible_truncation, reason = "only the low bits choose the loop")]
    fn place(&self, room: i64) -> usize {
        self.rooms.hash_one(room) as usize
    }
}

fn start_loop(runtime: Handle) -> io::Result<Arc<Inbox>> {
    let event_loop = EventLoop::new()?;
    let inbox = Arc::clone(event_loop.inbox());
    thread::Builder::new().name("sockets".into()).spawn(move || event_loop.run(&runtime))?;
    Ok(inbox)
}

impl Drop for Engine {
    fn drop(&mut self) {
        for inbox in &self.loops {
            inbox.stop();
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
