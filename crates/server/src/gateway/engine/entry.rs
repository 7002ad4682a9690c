//! A loop's place for one connection.

use std::{task::Poll, time::Instant};

use super::{
    super::Frame,
    Desk, Role,
    closing::Closing,
    decoder::Decoder,
    greeting::Greeted,
    handover::Place,
    knocking::{Heard, Knocking, Leaving},
    pipe::Pipe,
    serving::{End, Serving},
    timers::Tick,
};

/// A connection of a loop.
pub(super) struct Entry {
    pub(super) pipe: Pipe,
    pub(super) stage: Stage,
    /// When it is looked at next, whatever happens.
    pub(super) tick: Tick,
    /// Behind the socket: it is free when the socket is closed.
    _place: Place,
}

/// What a connection is to its loop.
pub(super) enum Stage {
    Knocking(Box<Knocking>),
    /// To be sent away as soon as that can be.
    Leaving(Box<Leaving>),
    Greeting(Box<Greeted>),
    Serving(Serving),
    Closing(Box<Closing>),
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
    pub(super) fn new(pipe: Pipe, place: Place, stage: Stage) -> Self {
        Self { pipe, stage, tick: Tick::NEVER, _place: place }
    }

    /// Does what is to be done; gives a moment at which to look again at the latest, where that has changed.
    pub(super) fn drive(&mut self, occasion: Occasion, desk: &mut Desk) -> Result<Option<Instant>, Over> {
        match &mut self.stage {
            Stage::Serving(serving) => match serve(serving, &mut self.pipe, occasion, desk) {
                Ok(again) => Ok(again),
                Err(end) => self.end(end, desk),
            },
            Stage::Knocking(_) if occasion == Occasion::Time => Err(Over),
            Stage::Knocking(_) => self.hear(desk),
            Stage::Leaving(_) => Ok(None),
            Stage::Greeting(_) => self.greet(desk),
            Stage::Closing(closing) if occasion == Occasion::Time && closing.deadline <= desk.now => Err(Over),
            Stage::Closing(closing) => {
                closing.drive(&mut self.pipe, desk).map_err(|_| Over)?;
                Ok(Some(closing.deadline))
            }
            Stage::Over => Err(Over),
        }
    }

    /// Hears what somebody at the door wants.
    fn hear(&mut self, desk: &mut Desk) -> Result<Option<Instant>, Over> {
        let Stage::Knocking(knocking) = &mut self.stage else { return Ok(None) };
        match knocking.hear(&mut self.pipe, &mut desk.buffer)? {
            None => Ok(None),
            Some(Heard::Leaving(leaving)) => {
                self.stage = Stage::Leaving(Box::new(leaving));
                Ok(None)
            }
            Some(Heard::Greeted(greeted)) => {
                self.stage = Stage::Greeting(Box::new(greeted));
                self.greet(desk)
            }
        }
    }

    /// Serves him as soon as it is known who he is, or tells him why not.
    fn greet(&mut self, desk: &mut Desk) -> Result<Option<Instant>, Over> {
        let Stage::Greeting(greeted) = &mut self.stage else { return Ok(None) };
        let Poll::Ready(role) = greeted.poll() else { return Ok(None) };
        let (answer, unread) = (greeted.greeting.answer.take(), std::mem::take(&mut greeted.unread));
        match role {
            Role::Member(member) => {
                let (turn, token) = greeted.bell.carrier();
                member.stay.connection.carried_by(turn, token);
                self.serve(Serving::new(member, unread, desk.now), answer, desk)
            }
            Role::Refused { close, max_message_bytes } => {
                let farewell = answer.into_iter().chain(close.farewell()).collect();
                let decoder = Decoder::new(max_message_bytes);
                let closing = Closing::new(farewell, Some(decoder), &unread, None, desk.now);
                self.stage = Stage::Closing(Box::new(closing));
                self.drive(Occasion::Attention, desk)
            }
        }
    }

    fn serve(&mut self, serving: Serving, answer: Option<Frame>, desk: &mut Desk) -> Result<Option<Instant>, Over> {
        let first_look = serving.next_tick(desk.now);
        let sent = serving.send_behind(answer, &mut self.pipe);
        self.stage = Stage::Serving(serving);
        let again = match sent {
            Ok(_) => self.drive(Occasion::Attention, desk)?,
            Err(end) => self.end(end, desk)?,
        };
        Ok(Some(again.map_or(first_look, |again| again.min(first_look))))
    }

    /// Who is to be sent away, and where.
    pub(super) fn take_leaving(&mut self) -> Option<Leaving> {
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Leaving(leaving) => Some(*leaving),
            stage => {
                self.stage = stage;
                None
            }
        }
    }

    /// Ends the session, and begins with the farewell.
    pub(super) fn end(&mut self, end: End, desk: &mut Desk) -> Result<Option<Instant>, Over> {
        if let Stage::Serving(serving) = std::mem::replace(&mut self.stage, Stage::Over) {
            self.stage = Stage::Closing(Box::new(serving.end(end, &mut self.pipe, desk.now).ok_or(Over)?));
        }
        self.drive(Occasion::Attention, desk)
    }

    /// Closes the socket; gives what is left.
    pub(super) fn cut(self) -> Stage {
        self.stage
    }

    /// Whether there is more to do at once.
    pub(super) fn wants_more(&self) -> bool {
        match &self.stage {
            Stage::Serving(serving) => serving.wants_more(&self.pipe),
            Stage::Knocking(_) | Stage::Closing(_) => self.pipe.is_readable(),
            Stage::Leaving(_) | Stage::Greeting(_) | Stage::Over => false,
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
