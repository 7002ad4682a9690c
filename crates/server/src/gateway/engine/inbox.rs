//! What other threads have for a loop: new connections, and connections that want to be looked at.

use std::sync::Arc;

use mio::Waker;
use parking_lot::Mutex;

use super::{super::connection::Carrier, Newcomer};

/// A loop's letter box.
pub(super) struct Inbox {
    state: Mutex<State>,
    waker: Waker,
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
    pub(super) newcomers: Vec<Newcomer>,
    /// The connections to be looked at. One may be gone, and its name another's: a look too many does no harm.
    pub(super) attention: Vec<usize>,
    /// Whether the loop is to end.
    pub(super) stop: bool,
}

impl Inbox {
    pub(super) fn new(waker: Waker) -> Arc<Self> {
        Arc::new(Self { state: Mutex::default(), waker })
    }

    pub(super) fn admit(&self, newcomer: Newcomer) {
        self.post(|mail| mail.newcomers.push(newcomer));
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
        if asleep && let Err(error) = self.waker.wake() {
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
        self.newcomers.is_empty() && self.attention.is_empty() && !self.stop
    }
}

impl Carrier for Inbox {
    fn attend(&self, token: usize) {
        self.post(|mail| mail.attention.push(token));
    }
}
