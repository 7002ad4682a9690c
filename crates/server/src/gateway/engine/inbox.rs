//! What other threads have for a loop: new connections, and connections that want to be looked at.

use std::sync::{Arc, Weak};

use mio::Waker;
use parking_lot::Mutex;

use super::{super::connection::Carrier, Arrival};

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
        let mut state = self.state.lock();
        state.asleep = state.mail.is_empty();
        state.asleep
    }

    /// Swaps what is in with `mail`, which is empty.
    pub(super) fn take(&self, mail: &mut Mail) {
        let mut state = self.state.lock();
        state.asleep = false;
        std::mem::swap(&mut state.mail, mail);
    }
}

impl Mail {
    fn is_empty(&self) -> bool {
        self.arrivals.is_empty() && self.attention.is_empty() && !self.door_shut && !self.stop
    }
}

impl Carrier for Inbox {
    fn attend(&self, token: usize) {
        self.post(|mail| mail.attention.push(token));
    }
}
