use std::collections::VecDeque;

use super::{Close, Frame};

/// A message that waits for the socket.
#[derive(Debug)]
pub(super) enum Outgoing {
    /// A text message.
    Text(Frame),
    /// A binary message; only the echo of the conformance suites sends any.
    #[cfg(feature = "test-hooks")]
    Binary(Frame),
    /// A ping that carries this number.
    Ping(u64),
}

/// What waits for one socket, bounded in bytes.
///
/// Durable messages are never dropped: when they do not fit, the connection is closed and resumes. Transient ones are
/// dropped when half of the room is taken, and a newer one replaces an older one of its kind.
#[derive(Debug, Default)]
pub(super) struct Outbound {
    queue: VecDeque<(Option<TransientKey>, Outgoing)>,
    bytes: usize,
    pub(super) close: Option<Close>,
}

/// Which transient messages replace each other, such as the typing state of one user.
pub type TransientKey = i64;

/// The message does not fit.
pub(super) struct Full;

impl Outbound {
    /// Queues a message. One always fits into an empty queue, and a ping behind it: there is never more than one for each
    /// message.
    pub(super) fn push(&mut self, outgoing: Outgoing, limit: Option<usize>) -> Result<(), Full> {
        let size = outgoing.size();
        let bounded = self.bytes > 0 && !matches!(outgoing, Outgoing::Ping(_));
        if bounded && limit.is_some_and(|limit| self.bytes + size > limit) {
            return Err(Full);
        }
        self.bytes += size;
        self.queue.push_back((None, outgoing));
        Ok(())
    }

    /// Queues a transient message, and tells whether one was dropped for it or instead of it.
    pub(super) fn push_transient(&mut self, key: TransientKey, frame: Frame, limit: Option<usize>) -> bool {
        if let Some((_, waiting)) = self.queue.iter_mut().find(|(other, _)| *other == Some(key)) {
            self.bytes = self.bytes - waiting.size() + frame.len();
            *waiting = Outgoing::Text(frame);
            return true;
        }
        if limit.is_some_and(|limit| self.bytes + frame.len() > limit / 2) {
            return true;
        }
        self.bytes += frame.len();
        self.queue.push_back((Some(key), Outgoing::Text(frame)));
        false
    }

    /// Takes everything that waits.
    pub(super) fn take(&mut self) -> Vec<Outgoing> {
        self.bytes = 0;
        std::mem::take(&mut self.queue).into_iter().map(|(_, outgoing)| outgoing).collect()
    }
}

impl Outgoing {
    fn size(&self) -> usize {
        match self {
            Self::Text(frame) => frame.len(),
            #[cfg(feature = "test-hooks")]
            Self::Binary(frame) => frame.len(),
            Self::Ping(_) => 8,
        }
    }
}
