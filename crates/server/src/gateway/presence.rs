//! Tells the back end of everybody who comes and goes.

use std::sync::Arc;

use super::{Companion, Company, Connection, Opening, endpoint::BoxFuture};
use crate::hooks::{Presence, Visit};

impl Companion for Arc<Presence> {
    fn accompanies(&self, _: &str) -> bool {
        true
    }

    fn accompany<'a>(
        &'a self,
        endpoint: &'static str,
        connection: &'a Arc<Connection>,
        opening: Opening,
    ) -> BoxFuture<'a, Box<dyn Company>> {
        let visit = Visit {
            connection: connection.id().number(),
            endpoint,
            user_id: connection.user_id(),
            object_id: Some(opening.object_id).filter(|id| *id != 0),
        };
        Box::pin(async move {
            self.connected(&visit);
            Box::new(Attended { presence: Arc::clone(self), visit }) as Box<dyn Company>
        })
    }
}

struct Attended {
    presence: Arc<Presence>,
    visit: Visit,
}

impl Company for Attended {
    fn closed(&self) {
        self.presence.disconnected(&self.visit);
    }
}
