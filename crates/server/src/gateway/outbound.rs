use std::task::Waker;

use smallvec::SmallVec;

use super::Frame;

/// What waits for one socket, bounded in bytes; nothing but a pointer while nothing waits.
///
/// Durable messages are never dropped: when they do not fit, the connection is closed and resumes. Transient ones are
/// dropped when half of the room is taken, and a newer one replaces an older one of its kind.
#[derive(Debug, Default)]
pub(super) struct Outbound(Option<Box<Queue>>);

/// How many messages of a burst a queue first makes room for.
const BURST: usize = 8;

/// Messages that go out together; most often it is one, which needs no further allocation.
pub(super) type Frames = SmallVec<[Frame; 2]>;

#[derive(Debug, Default)]
struct Queue {
    frames: Frames,
    /// The places in the queue of messages that newer ones replace.
    transient: SmallVec<[(TransientKey, usize); 1]>,
    /// How many bytes the frames have.
    bytes: usize,
    /// How many bytes were taken off the queue, and not by the kernel yet.
    unsent: usize,
    waits_for_room: Option<Waker>,
}

/// Which transient messages replace each other, such as the typing state of one user.
pub type TransientKey = i64;

/// The message does not fit.
pub(super) struct Full;

impl Outbound {
    /// Queues a message. One always fits when nothing waits, and a ping behind it: there is never more than one for each
    /// message.
    pub(super) fn push(&mut self, frame: Frame, limit: Option<usize>) -> Result<(), Full> {
        let queue = self.0.get_or_insert_default();
        let bounded = queue.waiting() > 0 && !frame.is_ping();
        if bounded && limit.is_some_and(|limit| queue.waiting() + frame.size() > limit) {
            return Err(Full);
        }
        queue.push(frame);
        Ok(())
    }

    /// Queues a transient message, and tells whether one was dropped for it or instead of it.
    pub(super) fn push_transient(&mut self, key: TransientKey, frame: Frame, limit: Option<usize>) -> bool {
        let queue = self.0.get_or_insert_default();
        let place = queue.transient.iter().find(|(other, _)| *other == key).map(|(_, place)| *place);
        if let Some(waiting) = place.and_then(|place| queue.frames.get_mut(place)) {
            queue.bytes = queue.bytes - waiting.size() + frame.size();
            *waiting = frame;
            return true;
        }
        if limit.is_some_and(|limit| queue.waiting() + frame.size() > limit / 2) {
            return true;
        }
        make_room(&mut queue.transient);
        queue.transient.push((key, queue.frames.len()));
        queue.push(frame);
        false
    }

    /// Has this waker given back as soon as something was taken.
    pub(super) fn wait_for_room(&mut self, waker: Waker) {
        self.0.get_or_insert_default().waits_for_room = Some(waker);
    }

    /// Takes everything that waits, and who waits for room.
    pub(super) fn take(&mut self) -> (Frames, Option<Waker>) {
        let Some(queue) = &mut self.0 else { return Default::default() };
        let taken = (std::mem::take(&mut queue.frames), queue.waits_for_room.take());
        queue.transient.clear();
        queue.bytes = 0;
        self.0.take_if(|queue| queue.unsent == 0);
        taken
    }

    /// Counts what was taken and could not be sent yet; gives who waits for room.
    pub(super) fn set_unsent(&mut self, bytes: usize) -> Option<Waker> {
        let queue = self.0.get_or_insert_default();
        queue.unsent = bytes;
        let waits_for_room = queue.waits_for_room.take();
        self.0.take_if(|queue| queue.waiting() == 0);
        waits_for_room
    }
}

impl Queue {
    fn waiting(&self) -> usize {
        self.bytes + self.unsent
    }

    fn push(&mut self, frame: Frame) {
        self.bytes += frame.size();
        make_room(&mut self.frames);
        self.frames.push(frame);
    }
}

/// Where more than one or two come before the socket is written, it is a burst: room is made for some at once.
fn make_room<A: smallvec::Array>(list: &mut SmallVec<A>) {
    if list.len() == list.capacity() {
        list.reserve(list.len().max(BURST - list.inline_size()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transient_message_takes_the_place_of_its_elder_while_that_waits() {
        let mut outbound = Outbound::default();
        let told = |key, text: &str| Frame::json(&(key, text));
        for key in 0..20 {
            assert!(!outbound.push_transient(key, told(key, "old"), None));
            assert!(outbound.push(told(key, "durable"), None).is_ok());
        }
        assert!(outbound.push_transient(7, told(7, "new"), None));
        let mut expected: Vec<Frame> = (0..20).flat_map(|key| [told(key, "old"), told(key, "durable")]).collect();
        expected[14] = told(7, "new");
        assert_eq!(outbound.take().0.to_vec(), expected);
        assert!(!outbound.push_transient(7, told(7, "next"), None));
        assert_eq!(outbound.take().0.to_vec(), [told(7, "next")]);
        assert!(outbound.take().0.is_empty() && outbound.0.is_none(), "a quiet connection keeps a pointer");
    }

    #[test]
    fn what_the_socket_did_not_take_counts_until_it_does() {
        let (mut outbound, frame) = (Outbound::default(), Frame::json("12345678"));
        let limit = Some(frame.size() * 2);
        assert!(outbound.push(frame.clone(), limit).is_ok());
        assert_eq!(outbound.take().0.len(), 1);
        outbound.set_unsent(frame.size());
        assert!(outbound.push_transient(1, frame.clone(), limit), "half of the room is for what must not be lost");
        assert!(outbound.push(frame.clone(), limit).is_ok() && outbound.push(frame.clone(), limit).is_err());
        assert!(outbound.push(Frame::ping(b"1"), limit).is_ok());
        outbound.set_unsent(0);
        assert_eq!(outbound.take().0.len(), 2);
        assert!(outbound.0.is_none());
    }
}
