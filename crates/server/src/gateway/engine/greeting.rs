//! Somebody whose request is read, until it is known who he is and what becomes of him.

use std::{
    future::Future,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
};

use bytes::Bytes;

use super::{
    super::{Frame, connection::Carrier, endpoint::BoxFuture},
    Role,
    inbox::Inbox,
};

/// What becomes of a socket, as soon as that is known.
pub(in super::super) struct Greeting {
    /// The answer to his request, where none was sent: it goes out with the first messages, in one write.
    pub(super) answer: Option<Frame>,
    role: BoxFuture<'static, Role>,
}

/// A [`Greeting`] in its loop.
pub(super) struct Greeted {
    pub(super) greeting: Greeting,
    /// What came behind the request.
    pub(super) unread: Bytes,
    pub(super) bell: Bell,
}

/// Has a loop look at one of its entries.
#[derive(Clone)]
pub(super) struct Bell(Arc<Rope>);

struct Rope {
    inbox: Arc<Inbox>,
    /// Which of the loops it is.
    turn: usize,
    token: usize,
}

impl Greeting {
    pub(in super::super) fn new(answer: Option<Frame>, role: impl Future<Output = Role> + Send + 'static) -> Self {
        Self { answer, role: Box::pin(role) }
    }

    /// The socket is lost; whoever is let in meanwhile leaves at once.
    pub(super) fn give_up(self) {
        tokio::spawn(async move { self.role.await.give_up() });
    }
}

impl Greeted {
    /// Goes on finding out; the bell rings when there is more to find out.
    pub(super) fn poll(&mut self) -> Poll<Role> {
        let waker = Waker::from(Arc::clone(&self.bell.0));
        self.greeting.role.as_mut().poll(&mut Context::from_waker(&waker))
    }
}

impl Bell {
    pub(super) fn new(inbox: &Arc<Inbox>, turn: usize, token: usize) -> Self {
        Self(Arc::new(Rope { inbox: Arc::clone(inbox), turn, token }))
    }

    /// Which loop carries the connection, and under which name.
    pub(super) fn carrier(&self) -> (usize, usize) {
        (self.0.turn, self.0.token)
    }
}

impl Wake for Rope {
    fn wake(self: Arc<Self>) {
        self.inbox.attend(self.token);
    }
}
