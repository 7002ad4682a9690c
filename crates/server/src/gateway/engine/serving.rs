//! A connection whose session is open.

use std::{sync::Arc, task::Waker, time::Instant};

use bytes::{Buf, Bytes};

use super::{
    super::{
        Close, Frame,
        connection::Waiting,
        endpoint::{AnySession, BoxFuture},
        heartbeat::Heartbeat,
        rate::TokenBucket,
        stay::Stay,
    },
    Desk, Member,
    closing::Closing,
    decoder::{Decoder, Event},
    pipe::Pipe,
    work::{Work, poll},
};

/// The code in metrics and in the close frame of a connection that ended in a panic.
const PANICKED: u16 = 1011;

/// What a quiet connection is: no task, no timer, no buffer.
pub(super) struct Serving {
    stay: Stay,
    session: Arc<dyn AnySession>,
    heartbeat: Heartbeat,
    bucket: TokenBucket,
    /// What only a busy connection has.
    work: Option<Box<Work>>,
}

/// How a connection ends.
pub(super) enum End {
    /// We close it, and say why.
    ByUs(Close),
    /// The peer broke the protocol; the code to close with.
    Violation(u16),
    /// The peer sent a close frame.
    ByPeer(Option<u16>),
    /// The socket is gone.
    Gone,
}

impl End {
    pub(super) const PANICKED: Self = Self::Violation(PANICKED);

    /// The code in metrics.
    fn code(&self) -> u16 {
        match self {
            Self::ByUs(Close { code, .. }) | Self::Violation(code) => *code,
            Self::ByPeer(_) | Self::Gone => 1000,
        }
    }
}

impl Serving {
    /// Begins; `unread` came behind the handshake.
    pub(super) fn new(member: Member, unread: Bytes, now: Instant) -> Self {
        let Member { session, stay } = member;
        let heartbeat = Heartbeat::new(stay.connection.terms(), now);
        let work = Work { opening: Some(Arc::clone(&session).opened()), unread, ..Work::default() };
        Self { stay, session, heartbeat, bucket: TokenBucket::new(now), work: Some(Box::new(work)) }
    }

    /// Whether the session may be told of a further event.
    fn listens(&self, pipe: &Pipe) -> bool {
        let busy = self.work.as_ref().is_some_and(|work| work.event.is_some());
        let behind = self.stay.connection.terms().profile.pause_when_behind && !pipe.is_flushed();
        !busy && !behind && !self.stay.connection.is_closing()
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
        let (session, received) = (Arc::clone(&self.session), &self.stay.connection.terms().received);
        match (event, receipts) {
            (_, Some(receipts)) if receipts.is_empty() => {}
            (_, Some(receipts)) => self.begin(session.received(receipts), now),
            (Event::Ping(payload), _) => self.stay.connection.send(Frame::pong(&payload)),
            (Event::Text(text), _) => {
                received.inc();
                self.begin(session.text(text), now);
            }
            (Event::Binary(data), _) => {
                received.inc();
                self.begin(session.binary(Bytes::from(data)), now);
            }
            (Event::Pong(_) | Event::Close(_), None) => {}
        }
        Ok(())
    }

    fn may_send(&mut self, now: Instant) -> bool {
        let rate = self.stay.connection.terms().profile.rate;
        rate.is_none_or(|rate| self.bucket.take(rate, now))
    }

    /// Begins with an event; most are dealt with at once, and leave nothing.
    fn begin(&mut self, event: BoxFuture<'static, ()>, now: Instant) {
        let waker = Waker::from(Arc::clone(&self.stay.connection));
        let mut event = Some(event);
        if poll(&mut event, &waker) {
            self.heartbeat.heard(self.stay.connection.terms(), now);
        } else {
            self.work().event = event;
        }
    }

    fn poll_futures(&mut self, now: Instant) {
        let Some(work) = &mut self.work else { return };
        if work.poll(&Waker::from(Arc::clone(&self.stay.connection))) {
            self.heartbeat.heard(self.stay.connection.terms(), now);
        }
    }

    /// The reason to close counts once the session is done with its event.
    fn end_if_closing(&self) -> Result<(), End> {
        let busy = self.work.as_ref().is_some_and(|work| work.event.is_some());
        match self.stay.connection.closing() {
            Some(close) if !busy => Err(End::ByUs(close)),
            _ => Ok(()),
        }
    }

    fn work(&mut self) -> &mut Work {
        self.work.get_or_insert_default()
    }

    /// Sends what waits, once the socket is rid of what it had; tells whether the credential was replaced.
    pub(super) fn send(&mut self, pipe: &mut Pipe) -> Result<bool, End> {
        self.send_unsent(pipe)?;
        if !pipe.is_flushed() {
            return Ok(false);
        }
        let Waiting { frames, reauthenticated } = self.stay.connection.take();
        self.stay.connection.terms().sent.inc_by(frames.len() as u64);
        if !frames.is_empty() {
            pipe.send(frames).map_err(|_| End::Gone)?;
        }
        if !pipe.is_flushed() {
            self.stay.connection.set_unsent(pipe.unsent());
        }
        Ok(reauthenticated)
    }

    /// Sends the first messages, behind the answer to the handshake.
    pub(super) fn send_behind(&self, answer: Option<Frame>, pipe: &mut Pipe) -> Result<(), End> {
        let first = self.stay.connection.take().frames;
        self.stay.connection.terms().sent.inc_by(first.len() as u64);
        pipe.send(answer.into_iter().chain(first).collect()).map_err(|_| End::Gone)
    }

    /// Sends what the socket did not take before.
    pub(super) fn send_unsent(&mut self, pipe: &mut Pipe) -> Result<(), End> {
        if pipe.is_flushed() {
            return Ok(());
        }
        let flushed = pipe.flush().map_err(|_| End::Gone);
        self.stay.connection.set_unsent(pipe.unsent());
        flushed
    }

    /// The loop looks because the connection asked for it.
    pub(super) fn look(&self) {
        self.stay.connection.look();
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, pipe: &Pipe, now: Instant) {
        if let Err(close) = self.heartbeat.tick(&self.stay.connection, self.listens(pipe), now) {
            // A peer that does not take what it is sent cannot have seen the ping.
            let behind = !pipe.is_flushed() && close.code == Close::IDLE_TIMEOUT;
            self.stay.connection.close(if behind { Close::slow_consumer() } else { close });
        }
    }

    /// When [`Serving::tick`] is due.
    pub(super) fn next_tick(&self, now: Instant) -> Instant {
        self.heartbeat.next(&self.stay.connection, now)
    }

    /// Ends it: the session is told, and the peer, where it can be.
    pub(super) fn end(mut self, end: End, pipe: &mut Pipe, now: Instant) -> Option<Closing> {
        let Work { event, decoder, unread, .. } = self.work.take().map_or_else(Work::default, |work| *work);
        let code = end.code();
        // From here on it takes no more messages.
        self.stay.connection.close(Close { code, error: None });
        let waiting = self.stay.connection.take().frames;
        self.stay.ends_with(code);
        Member::leave(self.session, event, &self.stay);
        let (farewell, decoder) = match end {
            End::ByUs(close) => {
                let limit = self.stay.connection.terms().profile.max_message_bytes;
                (last_frames(&close, waiting, pipe), decoder.or_else(|| Some(Decoder::new(limit))))
            }
            // What was said before the violation was sound, and is answered.
            End::Violation(code) => (waiting.into_iter().chain([Frame::close(Some(code), "")]).collect(), None),
            End::ByPeer(code) => (vec![Frame::close(code, "")], None),
            End::Gone => return None,
        };
        Some(Closing::new(farewell, decoder, &unread, Some(self.stay), now))
    }
}

/// What still goes out before we close. Somebody who reads too slowly gets the reason, and nothing of what he missed.
fn last_frames(close: &Close, waiting: Vec<Frame>, pipe: &mut Pipe) -> Vec<Frame> {
    if close.code == Close::SLOW_CONSUMER {
        pipe.forget_unbegun();
        return close.farewell();
    }
    waiting.into_iter().chain(close.farewell()).collect()
}
