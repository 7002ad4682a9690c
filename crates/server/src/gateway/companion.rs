//! Somebody who goes along with connections, and of whom features know nothing.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    Close, Connection, Opening,
    endpoint::{AnyEndpoint, AnySession, BoxFuture, Profile},
};
use crate::{accounts::Identity, config::Config};

/// What a companion keeps for a connection; dropped with its session.
pub type Company = Box<dyn Send + Sync>;

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
    ) -> BoxFuture<'a, Company>;
}

/// An endpoint whose connections have a companion.
pub(super) struct AccompaniedEndpoint {
    pub(super) endpoint: Arc<dyn AnyEndpoint>,
    pub(super) companion: Arc<dyn Companion>,
}

impl AnyEndpoint for AccompaniedEndpoint {
    fn name(&self) -> &'static str {
        self.endpoint.name()
    }

    fn profile(&self, config: &Config) -> Profile {
        self.endpoint.profile(config)
    }

    fn guest(&self) -> Option<Identity> {
        self.endpoint.guest()
    }

    fn open(&self, connection: Arc<Connection>, opening: Opening) -> BoxFuture<'_, Result<Arc<dyn AnySession>, Close>> {
        Box::pin(async move {
            let session = self.endpoint.open(Arc::clone(&connection), opening).await?;
            let company = self.companion.accompany(self.name(), &connection, opening).await;
            Ok(Arc::new(Accompanied { session, _company: company }) as Arc<dyn AnySession>)
        })
    }

    fn recheck(&self) -> BoxFuture<'_, ()> {
        self.endpoint.recheck()
    }
}

struct Accompanied {
    session: Arc<dyn AnySession>,
    _company: Company,
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
        Arc::clone(&self.session).closed()
    }
}
