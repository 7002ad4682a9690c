//! Somebody who goes along with connections, and of whom features know nothing.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    Connection, Opening,
    endpoint::{AnySession, BoxFuture},
};

/// Goes along with the connections of some endpoints.
pub trait Companion: Send + Sync + 'static {
    /// Whether it goes along with those of this endpoint.
    fn accompanies(&self, endpoint: &str) -> bool;

    /// A session is open. What it has sent waits until this is done, so it must not take long.
    fn accompany<'a>(
        &'a self,
        endpoint: &'static str,
        connection: &'a Arc<Connection>,
        opening: Opening,
    ) -> BoxFuture<'a, Box<dyn Company>>;
}

/// What a companion keeps for a connection; dropped with its session.
pub trait Company: Send + Sync {
    /// The connection is gone.
    fn closed(&self) {}
}

/// A session that has company.
pub(super) struct Accompanied {
    pub(super) session: Arc<dyn AnySession>,
    pub(super) company: Box<dyn Company>,
}

impl AnySession for Accompanied {
    fn opened(self: Arc<Self>) -> BoxFuture<'static, ()> {
        Arc::clone(&self.session).opened()
    }

    fn text(self: Arc<Self>, text: String) -> Option<BoxFuture<'static, ()>> {
        Arc::clone(&self.session).text(text)
    }

    fn binary(self: Arc<Self>, data: Bytes) -> Option<BoxFuture<'static, ()>> {
        Arc::clone(&self.session).binary(data)
    }

    fn received(self: Arc<Self>, receipts: Vec<i64>) -> BoxFuture<'static, ()> {
        Arc::clone(&self.session).received(receipts)
    }

    fn closed(self: Arc<Self>) -> BoxFuture<'static, ()> {
        self.company.closed();
        Arc::clone(&self.session).closed()
    }
}
