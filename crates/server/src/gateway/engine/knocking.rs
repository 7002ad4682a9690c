//! Somebody at the door who has not said yet what he wants.

use std::{net::SocketAddr, sync::Weak};

use bytes::Bytes;

use super::{
    door::{Answer, Doorman},
    entry::Over,
    greeting::{Bell, Greeted},
    pipe::Pipe,
    visitors::Visit,
};

/// Reads the head of a request, until the doorman knows what it asks for.
pub(super) struct Knocking {
    peer: SocketAddr,
    /// What has come; nothing in the usual case, where a head comes at once.
    read: Vec<u8>,
    doorman: Weak<dyn Doorman>,
    bell: Bell,
}

/// What becomes of somebody who has said what he wants.
pub(super) enum Heard {
    Greeted(Greeted),
    Leaving(Leaving),
}

/// Somebody who is to be sent elsewhere.
pub(super) enum Leaving {
    Visitor(Visit),
    Roommate(Roommate),
}

/// Somebody whose room may be in another loop.
pub(super) struct Roommate {
    pub(super) room: i64,
    pub(super) greeted: Greeted,
}

impl Knocking {
    pub(super) fn new(peer: SocketAddr, doorman: Weak<dyn Doorman>, bell: Bell) -> Self {
        Self { peer, read: Vec::new(), doorman, bell }
    }

    /// Reads on; gives what he wants, once he has said it.
    pub(super) fn hear(&mut self, pipe: &mut Pipe, buffer: &mut [u8]) -> Result<Option<Heard>, Over> {
        let Some(bytes) = pipe.read(buffer).map_err(|_| Over)? else { return Ok(None) };
        let is_first = self.read.is_empty();
        if !is_first {
            self.read.extend_from_slice(bytes);
            // A head ends with a line. Who sends it byte by byte has it read line by line.
            if !bytes.contains(&b'\n') {
                return Ok(None);
            }
        }
        let read = if is_first { bytes } else { &self.read };
        match self.doorman.upgrade().ok_or(Over)?.ask(read, self.peer) {
            Answer::Wait if is_first => self.read = bytes.to_vec(),
            Answer::Wait => {}
            Answer::Visitor => {
                let visit = Visit { address: self.peer, read: Bytes::copy_from_slice(read) };
                return Ok(Some(Heard::Leaving(Leaving::Visitor(visit))));
            }
            Answer::Welcome { greeting, room, length } => {
                let unread = Bytes::copy_from_slice(&read[length..]);
                let greeted = Greeted { greeting, unread, bell: self.bell.clone() };
                return Ok(Some(match room {
                    Some(room) => Heard::Leaving(Leaving::Roommate(Roommate { room, greeted })),
                    None => Heard::Greeted(greeted),
                }));
            }
        }
        Ok(None)
    }
}
