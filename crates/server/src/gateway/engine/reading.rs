//! From what a peer sends to what his session is told.

use std::{sync::Arc, task::Waker, time::Instant};

use bytes::{Buf, Bytes};

use super::{
    super::{Close, Frame, endpoint::BoxFuture},
    Desk,
    decoder::{Decoder, Event},
    pipe::Pipe,
    serving::{End, Serving},
    work::poll,
};

impl Serving {
    /// Whether the session may be told of a further event.
    pub(super) fn listens(&self, pipe: &Pipe) -> bool {
        let behind = self.stay.connection.terms().profile.pause_when_behind && !pipe.is_flushed();
        !self.is_busy() && !behind && !self.stay.connection.is_closing()
    }

    /// Whether it would read on at once.
    pub(super) fn wants_more(&self, pipe: &Pipe) -> bool {
        pipe.is_readable() && self.listens(pipe)
    }

    /// Lets the session's futures go on, then reads: at most one buffer full, so that everybody's turn comes.
    pub(super) fn read(&mut self, pipe: &mut Pipe, desk: &mut Desk) -> Result<(), End> {
        self.poll_futures(desk.now);
        self.end_if_closing()?;
        self.read_unread(pipe, desk.now)?;
        if self.wants_more(pipe)
            && let Some(bytes) = pipe.read(&mut desk.buffer).map_err(|_| End::Gone)?
        {
            let used = self.take_bytes(bytes, pipe, desk.now)?;
            if used < bytes.len() {
                self.work().unread = Bytes::copy_from_slice(&bytes[used..]);
            }
        }
        self.work.take_if(|work| work.is_done());
        Ok(())
    }

    fn poll_futures(&mut self, now: Instant) {
        let Some(work) = &mut self.work else { return };
        if work.poll(&Waker::from(Arc::clone(&self.stay.connection))) {
            self.heartbeat.heard(self.stay.connection.terms(), now);
        }
    }

    /// The reason to close counts once the session is done with its event.
    fn end_if_closing(&self) -> Result<(), End> {
        match self.stay.connection.closing() {
            Some(close) if !self.is_busy() => Err(End::ByUs(close)),
            _ => Ok(()),
        }
    }

    /// Looks at what was kept while the session was busy.
    fn read_unread(&mut self, pipe: &Pipe, now: Instant) -> Result<(), End> {
        let Some(work) = self.work.as_mut().filter(|work| !work.unread.is_empty()) else { return Ok(()) };
        let mut unread = std::mem::take(&mut work.unread);
        unread.advance(self.take_bytes(&unread, pipe, now)?);
        if !unread.is_empty() {
            self.work().unread = unread;
        }
        Ok(())
    }

    /// Takes events off `bytes` for as long as the session listens; gives how many bytes that were.
    fn take_bytes(&mut self, bytes: &[u8], pipe: &Pipe, now: Instant) -> Result<usize, End> {
        let kept = self.work.as_mut().and_then(|work| work.decoder.take());
        let limit = self.stay.connection.terms().profile.max_message_bytes;
        let (mut decoder, mut rest) = (kept.unwrap_or_else(|| Decoder::new(limit)), bytes);
        while self.listens(pipe) {
            match decoder.next(&mut rest) {
                Ok(Some(event)) => self.take_event(event, now)?,
                Ok(None) => break,
                Err(violation) => return Err(End::Violation(violation.0)),
            }
        }
        if !decoder.is_idle() {
            self.work().decoder = Some(decoder);
        }
        Ok(bytes.len() - rest.len())
    }

    fn take_event(&mut self, event: Event, now: Instant) -> Result<(), End> {
        self.heartbeat.heard(self.stay.connection.terms(), now);
        let receipts = match &event {
            Event::Close(code) => return Err(End::ByPeer(*code)),
            Event::Pong(payload) => self.stay.connection.pong(payload),
            _ => None,
        };
        // A pong that answers nothing is the peer's own idea, and counts as its messages do.
        if receipts.is_none() && !self.may_send(now) {
            self.stay.connection.close(Close::rate_limited("too many messages: slow down"));
            return Ok(());
        }
        let (session, received) = (&self.session, &self.stay.connection.terms().received);
        match (event, receipts) {
            (_, Some(receipts)) if receipts.is_empty() => {}
            (_, Some(receipts)) => self.begin(Some(Arc::clone(session).received(receipts))),
            (Event::Ping(payload), _) => self.stay.connection.send(Frame::pong(&payload)),
            (Event::Text(text), _) => {
                received.inc();
                self.begin(Arc::clone(session).text(text));
            }
            (Event::Binary(data), _) => {
                received.inc();
                self.begin(Arc::clone(session).binary(Bytes::from(data)));
            }
            (Event::Pong(_) | Event::Close(_), None) => {}
        }
        Ok(())
    }

    fn may_send(&mut self, now: Instant) -> bool {
        let rate = self.stay.connection.terms().profile.rate;
        rate.is_none_or(|rate| self.bucket.take(rate, now))
    }

    /// Begins with what an event leaves to be done; most of that is done at once.
    fn begin(&mut self, mut event: Option<BoxFuture<'static, ()>>) {
        if event.is_some() && !poll(&mut event, &Waker::from(Arc::clone(&self.stay.connection))) {
            self.work().event = event;
        }
    }
}
