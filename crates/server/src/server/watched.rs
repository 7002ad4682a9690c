use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use axum::body::{Bytes, HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};

/// Whether a request's body was read to its end.
#[derive(Clone, Debug)]
pub(super) struct WasRead(Arc<AtomicBool>);

impl WasRead {
    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A body that tells whether it was read: behind one that was not, no further request can be understood.
pub(super) struct WatchedBody {
    body: Incoming,
    was_read: WasRead,
}

impl WatchedBody {
    pub(super) fn new(body: Incoming) -> (Self, WasRead) {
        let was_read = WasRead(Arc::new(AtomicBool::new(body.is_end_stream())));
        (Self { body, was_read: was_read.clone() }, was_read)
    }
}

impl HttpBody for WatchedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() || self.body.is_end_stream() {
            self.was_read.0.store(true, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
