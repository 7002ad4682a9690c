//! A connection whose session is open.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;

use super::{
    super::{
        Close, Frame, connection::Waiting, endpoint::AnySession, heartbeat::Heartbeat, outbound::Frames,
        rate::TokenBucket, stay::Stay,
    },
    Member,
    closing::Closing,
    decoder::Decoder,
    pipe::Pipe,
    work::Work,
};

/// The code in metrics and in the close frame of a connection that ended in a panic.
const PANICKED: u16 = 1011;

/// What a quiet connection is: no task, no timer, no buffer.
pub(super) struct Serving {
    pub(super) stay: Stay,
    pub(super) session: Arc<dyn AnySession>,
    pub(super) heartbeat: Heartbeat,
    pub(super) bucket: TokenBucket,
    /// What only a busy connection has.
    pub(super) work: Option<Box<Work>>,
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

    /// Whether the session has an event to deal with.
    pub(super) fn is_busy(&self) -> bool {
        self.work.as_ref().is_some_and(|work| work.event.is_some())
    }

    pub(super) fn work(&mut self) -> &mut Work {
        self.work.get_or_insert_default()
    }

    /// Sends what waits, once the socket is rid of what it had; tells whether the credential was replaced.
    pub(super) fn send(&mut self, pipe: &mut Pipe) -> Result<bool, End> {
        if !pipe.is_flushed() {
            return Ok(false);
        }
        self.send_behind(None, pipe)
    }

    /// Sends what waits, behind the answer to the handshake where there is one; tells whether the credential was replaced.
    pub(super) fn send_behind(&self, answer: Option<Frame>, pipe: &mut Pipe) -> Result<bool, End> {
        let Waiting { mut frames, reauthenticated } = self.stay.connection.take();
        if !frames.is_empty() {
            self.stay.connection.terms().sent.inc_by(frames.len() as u64);
        }
        if let Some(answer) = answer {
            frames.insert(0, answer);
        }
        if !frames.is_empty() {
            pipe.send(&frames).map_err(|_| End::Gone)?;
        }
        if !pipe.is_flushed() {
            self.stay.connection.set_unsent(pipe.unsent());
        }
        Ok(reauthenticated)
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
fn last_frames(close: &Close, waiting: Frames, pipe: &mut Pipe) -> Vec<Frame> {
    if close.code == Close::SLOW_CONSUMER {
        pipe.forget_unbegun();
        return close.farewell();
    }
    waiting.into_iter().chain(close.farewell()).collect()
}
