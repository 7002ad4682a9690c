//! What only a busy connection has.

use std::{
    pin::Pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;

use super::{super::endpoint::BoxFuture, decoder::Decoder};

/// What a session is doing, and what has to wait for it.
#[derive(Default)]
pub(super) struct Work {
    /// The session's beginning, beside which events come.
    pub(super) opening: Option<BoxFuture<'static, ()>>,
    /// What the session does about the last event. While it does, nothing more is read, so a busy database slows down
    /// the sender.
    pub(super) event: Option<BoxFuture<'static, ()>>,
    /// A message of which more must come.
    pub(super) decoder: Option<Decoder>,
    /// What was read, and is not looked at before the event is dealt with.
    pub(super) unread: Bytes,
}

impl Work {
    /// Lets the futures go on; tells whether the session is done with its event now.
    pub(super) fn poll(&mut self, waker: &Waker) -> bool {
        poll(&mut self.opening, waker);
        poll(&mut self.event, waker)
    }

    pub(super) fn is_done(&self) -> bool {
        self.opening.is_none() && self.event.is_none() && self.decoder.is_none() && self.unread.is_empty()
    }
}

/// Polls a future, where there is one; tells whether it is done now.
pub(super) fn poll(future: &mut Option<BoxFuture<'static, ()>>, waker: &Waker) -> bool {
    let poll = |future: &mut BoxFuture<'static, ()>| Pin::as_mut(future).poll(&mut Context::from_waker(waker));
    let done = future.as_mut().map(poll) == Some(Poll::Ready(()));
    if done {
        *future = None;
    }
    done
}
