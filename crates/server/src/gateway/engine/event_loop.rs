//! A thread that carries the bytes of many connections.

use std::{
    collections::VecDeque,
    io::{self, ErrorKind},
    os::fd::{AsFd, BorrowedFd},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use mio::{Events, Poll, Token, Waker, net::TcpStream};
use slab::Slab;
use tokio::runtime::Handle;

use super::{
    Arrival, Desk, Rooms, Ways,
    door::{DOOR, Door},
    entry::{Entry, Occasion, Over, Stage},
    greeting::{Bell, Greeted, Greeting},
    handover::{Place, Receiver},
    inbox::{Inbox, Mail},
    pipe::Pipe,
    serving::End,
    timers::{Tick, Timers},
};

/// The name of the letter box among the sockets.
const INBOX: Token = Token(usize::MAX);
/// How many take leave in one round.
const PARTINGS_MAX: usize = 64;
/// How many sockets the kernel may name at once.
const EVENTS_MAX: usize = 1_024;

/// What a loop is made of before its thread has it.
pub(super) struct Foundation {
    poll: Poll,
    waker: Arc<Waker>,
    pub(super) inbox: Arc<Inbox>,
    receiver: Receiver,
}

/// What all loops have in common.
pub(super) struct Surroundings {
    pub(super) ways: Arc<Ways>,
    pub(super) rooms: Rooms,
    pub(super) runtime: Handle,
}

/// A thread that carries the bytes of many connections.
///
/// It goes in rounds. First every socket with something to read is read, and the sessions do what follows. Last, every
/// connection that has asked for attention is looked at, and what waits for its socket is written at once: all that the
/// round brought, in one system call.
pub(super) struct EventLoop {
    pub(super) poll: Poll,
    waker: Arc<Waker>,
    pub(super) inbox: Arc<Inbox>,
    pub(super) receiver: Receiver,
    /// Never the last of their owners: they are of another table.
    pub(super) surroundings: Arc<Surroundings>,
    /// Which of the loops it is.
    pub(super) turn: usize,
    pub(super) door: Option<Door>,
    pub(super) entries: Slab<Entry>,
    pub(super) timers: Timers,
    /// Those whose turn ended before all was done.
    pub(super) again: Vec<usize>,
    /// Those whose peers have hung up.
    parting: VecDeque<usize>,
    pub(super) desk: Desk,
}

/// What a loop leaves behind. It was made on another thread, or may hold what was, and must be dropped there: a number
/// in the loop's table is another descriptor in theirs.
pub(super) struct Remains {
    _own: (Poll, Arc<Waker>, Receiver),
    _connections: Vec<Stage>,
    _mail: Mail,
}

impl Foundation {
    /// For a loop to which sockets come through `receiver`.
    pub(super) fn new(receiver: Receiver) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), INBOX)?);
        let inbox = Inbox::new(Arc::downgrade(&waker));
        Ok(Self { poll, waker, inbox, receiver })
    }

    /// The descriptor that it needs beside those that wake it.
    pub(super) fn way_in(&self) -> BorrowedFd<'_> {
        self.receiver.as_fd()
    }
}

impl EventLoop {
    pub(super) fn new(foundation: Foundation, turn: usize, surroundings: Arc<Surroundings>) -> Self {
        let Foundation { poll, waker, inbox, receiver } = foundation;
        let (desk, entries) = (Desk::new(), Slab::new());
        let timers = Timers::new(desk.now);
        let (door, again, parting) = (None, Vec::new(), VecDeque::new());
        Self { poll, waker, inbox, receiver, surroundings, turn, door, entries, timers, again, parting, desk }
    }

    /// Serves until the letter box says stop. The futures of sessions find the runtime around them.
    pub(super) fn run(&mut self) {
        let surroundings = Arc::clone(&self.surroundings);
        let _runtime = surroundings.runtime.enter();
        self.inbox.belongs_here();
        let (mut events, mut mail) = (Events::with_capacity(EVENTS_MAX), Mail::default());
        while !mail.stop {
            if let Err(error) = self.wait(&mut events) {
                tracing::error!(%error, "a loop of connections ends: it cannot wait for them");
                return;
            }
            self.desk.now = Instant::now();
            self.read_sockets(&events);
            self.take_leave();
            self.look_at_the_due();
            self.inbox.take(&mut mail);
            self.open_mail(&mut mail);
        }
    }

    /// Closes all sockets.
    pub(super) fn end(self) -> Remains {
        let mut mail = Mail::default();
        if let Err(error) = self.receiver.shut_down() {
            tracing::error!(%error, "a loop of connections cannot be shut");
        }
        self.inbox.take(&mut mail);
        let connections = self.entries.into_iter().map(|(_, entry)| entry.cut()).collect();
        Remains { _own: (self.poll, self.waker, self.receiver), _connections: connections, _mail: mail }
    }

    /// Waits until there is something to do.
    fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        let busy = !self.again.is_empty() || !self.parting.is_empty() || !self.inbox.may_sleep();
        let timeout = if busy { Some(Duration::ZERO) } else { self.timers.left(Instant::now()) };
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() != ErrorKind::Interrupted => Err(error),
            _ => Ok(()),
        }
    }

    fn read_sockets(&mut self, events: &Events) {
        for token in std::mem::take(&mut self.again) {
            self.visit(token, Occasion::Ready);
        }
        for event in events {
            if event.token() == DOOR {
                self.let_in();
            } else if let Some(entry) = self.entries.get_mut(event.token().0) {
                entry.pipe.note(event);
                if event.is_read_closed() {
                    self.parting.push_back(event.token().0);
                } else {
                    self.visit(event.token().0, Occasion::Ready);
                }
            }
        }
    }

    /// Takes leave of some who have hung up: when everybody does at once, those who come need not wait for all of them.
    fn take_leave(&mut self) {
        for _ in 0..PARTINGS_MAX {
            let Some(token) = self.parting.pop_front() else { break };
            self.visit(token, Occasion::Ready);
        }
        if self.parting.is_empty() {
            self.parting.shrink_to(PARTINGS_MAX);
        }
    }

    fn look_at_the_due(&mut self) {
        while let Some((tick, due)) = self.timers.pop(self.desk.now) {
            for token in due {
                if token == DOOR.0 {
                    self.resume_door();
                } else if let Some(entry) = self.entries.get_mut(token).filter(|entry| entry.tick == tick) {
                    entry.tick = Tick::NEVER;
                    self.visit(token, Occasion::Time);
                }
            }
        }
    }

    fn open_mail(&mut self, mail: &mut Mail) {
        for arrival in mail.arrivals.drain(..) {
            match arrival {
                Arrival::Newcomer { place, unread, greeting } => self.admit(place, unread, greeting),
                Arrival::Door(key) => self.open_door(key),
            }
        }
        if std::mem::take(&mut mail.door_shut) {
            self.shut_door();
        }
        for token in mail.attention.drain(..) {
            self.visit(token, Occasion::Attention);
        }
    }

    fn admit(&mut self, place: Place, unread: Bytes, greeting: Greeting) {
        let vacancy = self.entries.vacant_entry();
        let token = vacancy.key();
        let stream = self.receiver.receive().map(|socket| TcpStream::from_std(socket.into()));
        match stream.and_then(|stream| Pipe::new(stream, self.poll.registry(), Token(token))) {
            Ok(pipe) => {
                let greeted = Greeted { greeting, unread, bell: Bell::new(&self.inbox, self.turn, token) };
                vacancy.insert(Entry::new(pipe, place, Stage::Greeting(Box::new(greeted))));
                self.visit(token, Occasion::Attention);
            }
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be served");
                greeting.give_up();
            }
        }
    }

    /// Lets one connection do what it can. Should that panic, it is this connection alone that ends.
    pub(super) fn visit(&mut self, token: usize, occasion: Occasion) {
        let Some(entry) = self.entries.get_mut(token) else { return };
        let desk = &mut self.desk;
        let outcome = catch_unwind(AssertUnwindSafe(|| entry.drive(occasion, desk))).unwrap_or_else(|_| {
            tracing::error!("a message made the server panic; its connection is gone");
            catch_unwind(AssertUnwindSafe(|| entry.end(End::PANICKED, desk))).unwrap_or(Err(Over))
        });
        match outcome {
            Ok(again) => {
                if entry.wants_more() {
                    self.again.push(token);
                }
                let leaves = matches!(entry.stage, Stage::Leaving(_));
                if let Some(moment) = again {
                    self.schedule(token, moment);
                }
                if leaves {
                    self.send_away(token);
                }
            }
            Err(Over) => self.remove(token),
        }
    }

    /// Has an entry looked at by then; an earlier look stays.
    pub(super) fn schedule(&mut self, token: usize, moment: Instant) {
        let tick = self.timers.tick(moment);
        if let Some(entry) = self.entries.get_mut(token).filter(|entry| tick < entry.tick) {
            entry.tick = tick;
            self.timers.insert(tick, token);
        }
    }

    pub(super) fn remove(&mut self, token: usize) {
        drop(self.entries.try_remove(token));
        if self.entries.is_empty() {
            self.entries.shrink_to_fit();
        }
    }
}
