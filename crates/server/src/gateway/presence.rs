//! A session whose beginning and end the back end is told of.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    Connection, Opening,
    endpoint::{AnySession, BoxFuture},
};
use crate::hooks::{Presence, Visit};

struct Attended {
    session: Arc<dyn AnySession>,
    presence: Arc<Presence>,
    visit: Visit,
}

/// Tells that a session has begun; gives one that tells when it ends.
pub(super) fn attend(
    session: Arc<dyn AnySession>,
    presence: &Arc<Presence>,
    connection: &Connection,
    opening: Opening,
) -> Arc<dyn AnySession> {
    let visit = Visit {
        connection: connection.id().number(),
        endpoint: connection.terms().endpoint,
        user_id: connection.user_id(),
        object_id: Some(opening.object_id).filter(|id| *id != 0),
    };
    presence.connected(&visit);
    Arc::new(Attended { session, presence: Arc::clone(presence), visit })
}

impl AnySession for Attended {
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
        self.presence.disconnected(&self.visit);
        Arc::clone(&self.session).closed()
    }
}
