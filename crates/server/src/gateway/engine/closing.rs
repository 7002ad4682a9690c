//! A connection that ends: the last frames go out, and the peer's close frame is waited for.

use std::{
    io,
    time::{Duration, Instant},
};

use super::{
    super::{Frame, stay::Stay},
    Desk,
    decoder::{Decoder, Event},
    pipe::Pipe,
};

/// How long a peer may take to read the last messages and to answer the close frame.
const CLOSE_GRACE: Duration = Duration::from_secs(5);

/// Completes the closing handshake, and reads what the peer still sends: an unread byte would reset the connection, and
/// the close frame with it.
pub(super) struct Closing {
    /// Looks for the peer's close frame; after it, nothing that comes matters.
    decoder: Option<Box<Decoder>>,
    /// What the peer hears last.
    farewell: Vec<Frame>,
    shut_down: bool,
    /// When it is cut off.
    pub(super) deadline: Instant,
    _stay: Option<Stay>,
}

impl Closing {
    /// Begins; `decoder` reads on from `unread` to the peer's close frame, where that is still to come.
    pub(super) fn new(
        farewell: Vec<Frame>,
        decoder: Option<Decoder>,
        unread: &[u8],
        stay: Option<Stay>,
        now: Instant,
    ) -> Self {
        let (decoder, deadline) = (decoder.map(Box::new), now + CLOSE_GRACE);
        let mut closing = Self { decoder, farewell, shut_down: false, deadline, _stay: stay };
        closing.hear(unread);
        closing
    }

    /// Does what can be done; an error is the end.
    pub(super) fn drive(&mut self, pipe: &mut Pipe, desk: &mut Desk) -> io::Result<()> {
        pipe.send(&std::mem::take(&mut self.farewell))?;
        if let Some(bytes) = pipe.read(&mut desk.buffer)? {
            self.hear(bytes);
        }
        if self.decoder.is_none() && pipe.is_flushed() && !self.shut_down {
            pipe.shut_down()?;
            self.shut_down = true;
        }
        Ok(())
    }

    /// Only a close frame counts now.
    fn hear(&mut self, mut bytes: &[u8]) {
        while let Some(decoder) = &mut self.decoder {
            match decoder.next(&mut bytes) {
                Ok(Some(Event::Close(_))) | Err(_) => self.decoder = None,
                Ok(Some(_)) => {}
                Ok(None) => return,
            }
        }
    }
}
