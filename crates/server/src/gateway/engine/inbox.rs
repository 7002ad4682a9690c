//! What other threads have for a loop: new connections, and connections that want to be looked at.

use std::{
    cell::RefCell,
    ptr,
    sync::{Arc, Weak},
};

use mio::Waker;
use parking_lot::Mutex;

use super::{super::connection::Carrier, Arrival};

thread_local! {
    /// What the loop of this thread asks of itself, which takes no lock and wakes nobody.
    static OWN: RefCell<Own> = const { RefCell::new(Own { inbox: ptr::null(), attention: Vec::new() }) };
}

struct Own {
    /// The loop's letter box; only its place is of interest.
    inbox: *const Inbox,
    attention: Vec<usize>,
}

/// A loop's letter box.
pub(super) struct Inbox {
    state: Mutex<State>,
    /// Gone with the loop. It holds a descriptor, which must not end with a letter box on just any thread.
    waker: Weak<Waker>,
}

#[derive(Default)]
struct State {
    mail: Mail,
    /// Whether the loop waits, or is about to, and must be woken.
    asleep: bool,
}

/// What was waiting in an [`Inbox`].
#[derive(Default)]
pub(super) struct Mail {
    pub(super) arrivals: Vec<Arrival>,
    /// The connections to be looked at. One may be gone, and its name another's: a look too many does no harm.
    pub(super) attention: Vec<usize>,
    /// Whether nobody is let in any more.
    pub(super) door_shut: bool,
    /// Whether the loop is to end.
    pub(super) stop: bool,
}

impl Inbox {
    pub(super) fn new(waker: Weak<Waker>) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), waker })
    }

    pub(super) fn admit(&self, arrival: Arrival) {
        self.post(|mail| mail.arrivals.push(arrival));
    }

    pub(super) fn shut_door(&self) {
        self.post(|mail| mail.door_shut = true);
    }

    pub(super) fn stop(&self) {
        self.post(|mail| mail.stop = true);
    }

    /// From now on this thread is the loop's own.
    pub(super) fn belongs_here(&self) {
        OWN.with_borrow_mut(|own| own.inbox = self);
    }

    /// Notes a connection to be looked at, where this thread is the loop's own.
    fn note(&self, token: usize) -> bool {
        let note = |own: &mut Own| {
            let is_own = ptr::eq(own.inbox, self);
            own.attention.extend(is_own.then_some(token));
            is_own
        };
        OWN.try_with(|own| note(&mut own.borrow_mut())).unwrap_or(false)
    }

    /// Puts something in, and wakes the loop where it sleeps.
    fn post(&self, put: impl FnOnce(&mut Mail)) {
        let mut state = self.state.lock();
        put(&mut state.mail);
        let asleep = std::mem::take(&mut state.asleep);
        drop(state);
        if asleep
            && let Some(waker) = self.waker.upgrade()
            && let Err(error) = waker.wake()
        {
            tracing::error!(%error, "a loop of connections cannot be woken");
        }
    }

    /// Whether the loop may wait: nothing is in. From then on whoever puts something in wakes it.
    pub(super) fn may_sleep(&self) -> bool {
        if OWN.with_borrow(|own| !own.attention.is_empty()) {
            return false;
        }
        let mut state = self.state.lock();
        state.asleep = state.mail.is_empty();
        state.asleep
    }

    /// Swaps what is in with `mail`, which is empty.
    pub(super) fn take(&self, mail: &mut Mail) {
        let mut state = self.state.lock();
        state.asleep = false;
        std::mem::swap(&mut state.mail, mail);
        drop(state);
        OWN.with_borrow_mut(|own| mail.attention.append(&mut own.attention));
    }
}

impl Mail {
    fn is_empty(&self) -> bool {
        self.arrivals.is_empty() && self.attention.is_empty() && !self.door_shut && !self.stop
    }
}

impl Carrier for Inbox {
    fn attend(&self, token: usize) {
        if !self.note(token) {
            self.post(|mail| mail.attention.push(token));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn what_a_loop_asks_of_itself_and_what_others_ask_is_looked_at_once() {
        let (inbox, other) = (Inbox::new(Weak::new()), Inbox::new(Weak::new()));
        let attention = |inbox: &Inbox| {
            let mut mail = Mail::default();
            inbox.take(&mut mail);
            mail.attention
        };
        inbox.belongs_here();
        assert!(inbox.may_sleep());
        other.attend(7);
        inbox.attend(1);
        assert!(!inbox.may_sleep(), "its own wish is forgotten");
        thread::scope(|scope| scope.spawn(|| inbox.attend(2)).join().unwrap());
        inbox.attend(3);
        assert_eq!(attention(&inbox), [2, 1, 3]);
        assert!(attention(&inbox).is_empty());
        assert!(inbox.may_sleep());
        thread::scope(|scope| scope.spawn(|| inbox.attend(4)).join().unwrap());
        assert!(!inbox.may_sleep());
        assert_eq!((attention(&inbox), attention(&other)), (vec![4], vec![7]));
    }
}
