//! A loop's place for one connection.

use std::time::Instant;

use bytes::Bytes;

use super::{
    Desk, Role,
    closing::{CLOSE_GRACE, Closing},
    decoder::Decoder,
    handover::Place,
    pipe::Pipe,
    serving::{End, Serving},
    timers::Tick,
};

/// A connection of a loop.
pub(super) struct Entry {
    pub(super) pipe: Pipe,
    stage: Stage,
    /// When it is looked at next, whatever happens.
    pub(super) tick: Tick,
    /// Behind the socket: it is free when the socket is closed.
    _place: Place,
}

/// What a connection is to its loop.
pub(super) enum Stage {
    Serving(Serving),
    Closing(Closing),
    Over,
}

/// Why the loop looks at a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    /// The kernel says that it can be read or written.
    Ready,
    /// It has asked for it.
    Attention,
    /// Its time has come.
    Time,
}

/// The connection is over.
#[derive(Debug)]
pub(super) struct Over;

impl Entry {
    pub(super) fn new(pipe: Pipe, place: Place, role: Role, unread: Bytes, now: Instant) -> Self {
        let stage = match role {
            Role::Member(member) => Stage::Serving(Serving::new(member, unread, now)),
            Role::Refused { close, max_message_bytes } => {
                let decoder = Decoder::new(max_message_bytes);
                Stage::Closing(Closing::new(close.farewell(), Some(decoder), &unread, None))
            }
        };
        Self { pipe, stage, tick: Tick::NEVER, _place: place }
    }

    /// Does what is to be done; gives a moment at which to look again at the latest, where that has changed.
    pub(super) fn drive(&mut self, occasion: Occasion, desk: &mut Desk) -> Result<Option<Instant>, Over> {
        match &mut self.stage {
            Stage::Serving(serving) => match serve(serving, &mut self.pipe, occasion, desk) {
                Ok(again) => Ok(again),
                Err(end) => self.end(end, desk),
            },
            Stage::Closing(_) if occasion == Occasion::Time => Err(Over),
            Stage::Closing(closing) => closing.drive(&mut self.pipe, desk).map(|()| None).map_err(|_| Over),
            Stage::Over => Err(Over),
        }
    }

    /// Ends the session, and begins with the farewell.
    pub(super) fn end(&mut self, end: End, desk: &mut Desk) -> Result<Option<Instant>, Over> {
        if let Stage::Serving(serving) = std::mem::replace(&mut self.stage, Stage::Over) {
            self.stage = Stage::Closing(serving.end(end, &mut self.pipe).ok_or(Over)?);
        }
        self.drive(Occasion::Attention, desk)?;
        Ok(Some(desk.now + CLOSE_GRACE))
    }

    /// When a new entry is to be looked at.
    pub(super) fn first_look(&self, now: Instant) -> Instant {
        match &self.stage {
            Stage::Serving(serving) => serving.next_tick(now),
            Stage::Closing(_) | Stage::Over => now + CLOSE_GRACE,
        }
    }

    /// Closes the socket; gives what is left.
    pub(super) fn cut(self) -> Stage {
        self.stage
    }

    /// Whether there is more to do at once.
    pub(super) fn wants_more(&self) -> bool {
        match &self.stage {
            Stage::Serving(serving) => serving.wants_more(&self.pipe),
            Stage::Closing(_) => self.pipe.is_readable(),
            Stage::Over => false,
        }
    }
}

fn serve(serving: &mut Serving, pipe: &mut Pipe, occasion: Occasion, desk: &mut Desk) -> Result<Option<Instant>, End> {
    if occasion == Occasion::Time {
        serving.tick(pipe, desk.now);
        return Ok(Some(serving.next_tick(desk.now)));
    }
    let asked = occasion == Occasion::Attention;
    if asked {
        serving.look();
    }
    // What was queued behind unsent frames has asked already, and could not be sent.
    let behind = !pipe.is_flushed();
    serving.send_unsent(pipe)?;
    serving.read(pipe, desk)?;
    let reauthenticated = (asked || behind) && serving.send(pipe)?;
    Ok(reauthenticated.then(|| serving.next_tick(desk.now)))
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::*;

    /// A quiet connection keeps its entry, and there may be a million of them: what only a busy one needs belongs into
    /// `Work`, what all have in common into `Terms`. The socket is left out, since it is larger in debug builds.
    #[test]
    fn an_entry_is_small() {
        assert!(size_of::<Entry>() - size_of::<Pipe>() <= 104, "{}", size_of::<Entry>() - size_of::<Pipe>());
    }
}
