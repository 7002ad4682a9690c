//! Where sockets come in, and where those leave that belong elsewhere.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    os::fd::OwnedFd,
    sync::{Arc, Weak},
    time::Duration,
};

use bytes::Bytes;
use mio::{
    Registry, Token,
    net::{TcpListener, TcpStream},
};
use rustix::event::epoll::{self, EventData, EventFlags};
use tokio::sync::mpsc;

use super::{
    Arrival, Ways,
    entry::{Entry, Occasion, Stage},
    event_loop::EventLoop,
    greeting::{Bell, Greeted, Greeting},
    knocking::{Knocking, Leaving, Roommate},
    pipe::Pipe,
    visitors::Visit,
};
use crate::telemetry::Seldom;

/// The name of the door among the sockets.
pub(super) const DOOR: Token = Token(usize::MAX - 1);
/// How many are let in at once, before others get their turn.
const CROWD: usize = 64;
/// How long the door stays shut when nobody can be let in: most often the system is out of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Knows what becomes of those who come.
pub(in super::super) trait Doorman: Send + Sync {
    /// What somebody wants whose first bytes are these.
    fn ask(self: Arc<Self>, bytes: &[u8], peer: SocketAddr) -> Answer;
}

/// What becomes of somebody at the door.
pub(in super::super) enum Answer {
    /// He has not said yet what he wants.
    Wait,
    /// He wants no WebSocket, or it needs explaining why he gets none.
    Visitor,
    /// He gets a WebSocket.
    Welcome {
        greeting: Greeting,
        /// Those of a room share a loop.
        room: Option<i64>,
        /// How long his request is.
        length: usize,
    },
}

/// What opens a door, beside the listener, which comes another way.
pub(super) struct DoorKey {
    /// Weak, for he has the engine.
    pub(super) doorman: Weak<dyn Doorman>,
    pub(super) visits: mpsc::UnboundedSender<Visit>,
    /// How long somebody may take to say what he wants.
    pub(super) patience: Option<Duration>,
}

/// A listener that all loops share: whichever has time takes the next one.
pub(super) struct Door {
    listener: TcpListener,
    key: DoorKey,
    /// Says that somebody was lost.
    lost: Seldom,
}

impl Door {
    pub(super) fn open(listener: OwnedFd, key: DoorKey, registry: &Registry) -> io::Result<Self> {
        let door = Self { listener: TcpListener::from_std(listener.into()), key, lost: Seldom::default() };
        door.listen(registry)?;
        Ok(door)
    }

    /// Not by the registry, which would wake all loops for each one who comes.
    fn listen(&self, registry: &Registry) -> io::Result<()> {
        let (name, flags) = (EventData::new_u64(DOOR.0 as u64), EventFlags::IN | EventFlags::EXCLUSIVE);
        Ok(epoll::add(registry, &self.listener, name, flags)?)
    }

    /// The other loops' tables keep the listener alive, so it must be taken out by name.
    fn stop_listening(&self, registry: &Registry) {
        if let Err(error) = epoll::delete(registry, &self.listener) {
            tracing::debug!(%error, "a door was shut already");
        }
    }
}

impl EventLoop {
    /// Lets in those who wait at the door.
    pub(super) fn let_in(&mut self) {
        for _ in 0..CROWD {
            let Some(Door { listener, .. }) = &self.door else { return };
            match listener.accept() {
                Ok((stream, peer)) => self.receive(stream, peer),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // That one is gone; the next one need not wait.
                Err(error) if is_of_client(&error) => {}
                Err(error) => return self.pause_door(&error),
            }
        }
    }

    fn receive(&mut self, stream: TcpStream, peer: SocketAddr) {
        let (Some(Door { key, lost, .. }), ways) = (&self.door, &self.surroundings.ways) else { return };
        let Some(place) = ways.loops[self.turn].places.take() else {
            // There is no place here: whoever serves visitors finds one in another loop, or says that there is none.
            let mut visit = Some(Visit { address: peer, read: Bytes::new() });
            return send_out(ways, &stream, key, &mut visit).unwrap_or_else(|error| tell_lost(lost, &error));
        };
        let vacancy = self.entries.vacant_entry();
        let token = vacancy.key();
        let knocking = Knocking::new(peer, Weak::clone(&key.doorman), Bell::new(&self.inbox, self.turn, token));
        let patience = key.patience;
        match Pipe::new(stream, self.poll.registry(), Token(token)) {
            Ok(pipe) => drop(vacancy.insert(Entry::new(pipe, place, Stage::Knocking(Box::new(knocking))))),
            Err(error) => return tell_lost(lost, &error),
        }
        if let Some(patience) = patience {
            self.schedule(token, self.desk.now + patience);
        }
    }

    /// Sends somebody to where he belongs.
    pub(super) fn send_away(&mut self, token: usize) {
        let Some(entry) = self.entries.get_mut(token) else { return };
        match entry.take_leaving() {
            Some(Leaving::Visitor(visit)) => self.send_out(token, visit),
            Some(Leaving::Roommate(roommate)) => self.send_across(token, roommate),
            None => {}
        }
    }

    fn send_out(&mut self, token: usize, visit: Visit) {
        let (Some(entry), Some(door)) = (self.entries.get_mut(token), &self.door) else { return self.remove(token) };
        let mut visit = Some(visit);
        let sent = send_out(&self.surroundings.ways, entry.pipe.socket(), &door.key, &mut visit);
        match (sent, visit) {
            (Ok(()), _) => self.leave(token),
            (Err(error), Some(visit)) if error.kind() == ErrorKind::WouldBlock => {
                entry.stage = Stage::Leaving(Box::new(Leaving::Visitor(visit)));
                self.again.push(token);
            }
            (Err(error), _) => {
                tell_lost(&door.lost, &error);
                self.remove(token);
            }
        }
    }

    /// To the loop of his room; where that has no place, he stays here.
    fn send_across(&mut self, token: usize, Roommate { room, greeted }: Roommate) {
        let Some(entry) = self.entries.get_mut(token) else { return };
        let loops = &self.surroundings.ways.loops;
        let link = &loops[self.surroundings.rooms.turn_of(room, loops.len())];
        let mut staying = Some(greeted);
        if !Arc::ptr_eq(&link.inbox, &self.inbox)
            && let Some(place) = link.places.take()
        {
            let sent = link.sender.try_send(entry.pipe.socket(), || {
                if let Some(Greeted { greeting, unread, .. }) = staying.take() {
                    link.inbox.admit(Arrival::Newcomer { place, unread, greeting });
                }
            });
            sent.unwrap_or_else(|error| tracing::debug!(%error, "a connection could not go to the loop of its room"));
        }
        match staying {
            None => self.leave(token),
            Some(greeted) => {
                entry.stage = Stage::Greeting(Box::new(greeted));
                self.visit(token, Occasion::Attention);
            }
        }
    }

    /// Another table has the socket now.
    fn leave(&mut self, token: usize) {
        if let Some(entry) = self.entries.get_mut(token)
            && let Err(error) = entry.pipe.deregister(self.poll.registry())
        {
            tracing::warn!(%error, "a socket that has left cannot be taken out");
        }
        self.remove(token);
    }

    pub(super) fn open_door(&mut self, key: DoorKey) {
        let door = self.receiver.receive().and_then(|listener| Door::open(listener, key, self.poll.registry()));
        match door {
            Ok(door) => self.door = Some(door),
            Err(error) => tracing::error!(%error, "a loop of connections can let nobody in"),
        }
    }

    /// Lets nobody in any more, and cuts off those who have not said yet what they want.
    pub(super) fn shut_door(&mut self) {
        let Some(door) = self.door.take() else { return };
        door.stop_listening(self.poll.registry());
        self.entries.retain(|_, entry| !matches!(entry.stage, Stage::Knocking(_) | Stage::Leaving(_)));
    }

    fn pause_door(&mut self, error: &io::Error) {
        if let Some(door) = &self.door {
            tracing::warn!(%error, "connections cannot be accepted");
            door.stop_listening(self.poll.registry());
            self.timers.insert(self.timers.tick(self.desk.now + PAUSE), DOOR.0);
        }
    }

    /// The pause is over.
    pub(super) fn resume_door(&mut self) {
        if let Some(door) = &self.door
            && let Err(error) = door.listen(self.poll.registry())
        {
            tracing::error!(%error, "a loop of connections can let nobody in");
        }
    }
}

/// To whoever serves visitors; `visit` is taken where that worked.
fn send_out(ways: &Ways, socket: &TcpStream, key: &DoorKey, visit: &mut Option<Visit>) -> io::Result<()> {
    ways.out.try_send(socket, || {
        if let Some(visit) = visit.take() {
            // Nobody takes it any more when the server stops.
            let _ = key.visits.send(visit);
        }
    })
}

fn tell_lost(lost: &Seldom, error: &io::Error) {
    if lost.is_due() {
        tracing::warn!(%error, "connections are lost at the door");
    }
}

fn is_of_client(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset)
}
