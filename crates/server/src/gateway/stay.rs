use std::{net::IpAddr, sync::Arc};

use tokio_util::task::{TaskTracker, task_tracker::TaskTrackerToken};

use super::{Close, Connection, registry::Admission};

/// The time that somebody is in; dropping it ends it.
pub(super) struct Stay {
    pub(super) connection: Arc<Connection>,
    /// How he is counted, where his endpoint has a registry.
    admission: Admission,
    /// Waited for when the server ends.
    drain: TaskTrackerToken,
    /// The close code, in the end; none before the session is open.
    code: Option<u16>,
}

impl Stay {
    /// Somebody comes in; where his endpoint has a registry it counts him, or says why he may not stay.
    pub(super) fn begin(connection: Arc<Connection>, address: IpAddr, drain: TaskTrackerToken) -> Result<Self, Close> {
        let registry = connection.terms().registry.as_ref();
        let admission = registry.map(|registry| registry.admit(&connection, address)).transpose()?.unwrap_or_default();
        Ok(Self { connection, admission, drain, code: None })
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
        let terms = self.connection.terms();
        if let Some(registry) = &terms.registry {
            registry.leave(&self.connection, &self.admission);
        }
        if let Some(code) = self.code {
            terms.metrics.connection_closed(terms.endpoint, code);
        }
    }
}
