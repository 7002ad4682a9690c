use std::sync::Arc;

use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

use super::{
    Close, Connection,
    registry::{ConnectionLimits, Registry},
};

/// The time that somebody is in; dropping it ends it.
pub(super) struct Stay {
    pub(super) connection: Arc<Connection>,
    /// Where he is counted; guests are not.
    registry: Option<Arc<Registry>>,
    /// Waited for when the server ends.
    drain: TaskTrackerToken,
    /// The close code, in the end; none before the session is open.
    code: Option<u16>,
}

impl Stay {
    /// Somebody comes in; where there is a registry it counts him, or says why he may not stay.
    pub(super) fn begin(
        connection: Arc<Connection>,
        registry: Option<&Arc<Registry>>,
        limits: ConnectionLimits,
        drain: TaskTrackerToken,
    ) -> Result<Self, Close> {
        if let Some(registry) = registry {
            registry.admit(&connection, limits)?;
        }
        Ok(Self { connection, registry: registry.cloned(), drain, code: None })
    }

    /// The session is open.
    pub(super) fn opened(&mut self) {
        let terms = self.connection.terms();
        terms.metrics.connection_opened(terms.endpoint);
        self.code = Some(1000);
    }

    /// Notes the close code.
    pub(super) fn ends_with(&mut self, code: u16) {
        self.code = Some(code);
    }

    /// What is to be done before the server ends goes here.
    pub(super) fn drain(&self) -> &TaskTracker {
        self.drain.task_tracker()
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        if let Some(registry) = &self.registry {
            registry.leave(&self.connection);
        }
        if let Some(code) = self.code {
            let terms = self.connection.terms();
            terms.metrics.connection_closed(terms.endpoint, code);
        }
    }
}
