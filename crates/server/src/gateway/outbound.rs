use super::{Close, Frame};

/// What waits for one socket, bounded in bytes.
///
/// Durable messages are never dropped: when they do not fit, the connection is closed and resumes. Transient ones are
/// dropped when half of the room is taken, and a newer one replaces an older one of its kind.
#[derive(Debug, Default)]
pub(super) struct Outbound {
    queue: Vec<Frame>,
    /// The places in the queue of messages that newer ones replace.
    transient: Vec<(TransientKey, usize)>,
    /// How many bytes the queue has.
    queued: usize,
    /// How many bytes were taken off the queue, and not by the kernel yet.
    unsent: usize,
    pub(super) close: Option<Box<Close>>,
}

/// Which transient messages replace each other, such as the typing state of one user.
pub type TransientKey = i64;

/// The message does not fit.
pub(super) struct Full;

impl Outbound {
    /// Queues a message. One always fits when nothing waits, and a ping behind it: there is never more than one for each
    /// message.
    pub(super) fn push(&mut self, frame: Frame, limit: Option<usize>) -> Result<(), Full> {
        let waiting = self.queued + self.unsent;
        let bounded = waiting > 0 && !frame.is_ping();
        if bounded && limit.is_some_and(|limit| waiting + frame.size() > limit) {
            return Err(Full);
        }
        self.queued += frame.size();
        self.queue.push(frame);
        Ok(())
    }

    /// Queues a transient message, and tells whether one was dropped for it or instead of it.
    pub(super) fn push_transient(&mut self, key: TransientKey, frame: Frame, limit: Option<usize>) -> bool {
        let place = self.transient.iter().find(|(other, _)| *other == key).map(|(_, place)| *place);
        if let Some(waiting) = place.and_then(|place| self.queue.get_mut(place)) {
            self.queued = self.queued - waiting.size() + frame.size();
            *waiting = frame;
            return true;
        }
        if limit.is_some_and(|limit| self.queued + self.unsent + frame.size() > limit / 2) {
            return true;
        }
        self.transient.push((key, self.queue.len()));
        self.queued += frame.size();
        self.queue.push(frame);
        false
    }

    /// Takes everything that waits.
    pub(super) fn take(&mut self) -> Vec<Frame> {
        self.queued = 0;
        self.transient = Vec::new();
        std::mem::take(&mut self.queue)
    }

    /// Counts what was taken and could not be sent.
    pub(super) fn set_unsent(&mut self, bytes: usize) {
        self.unsent = bytes;
    }
}
