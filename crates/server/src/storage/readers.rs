use std::{path::Path, sync::Arc};

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::{StorageError, Tx, database};
use crate::clock::SharedClock;

/// A fixed set of read-only connections.
#[derive(Clone)]
pub(super) struct Readers(Arc<Pool>);

struct Pool {
    /// One permit for each connection, so that a holder of a permit always finds one in `idle`.
    permits: Semaphore,
    idle: Mutex<Vec<Connection>>,
    clock: SharedClock,
}

impl Readers {
    pub(super) fn open(path: &Path, count: usize, clock: &SharedClock) -> Result<Self, StorageError> {
        let idle = (0..count).map(|_| database::open_reader(path)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self(Arc::new(Pool { permits: Semaphore::new(count), idle: Mutex::new(idle), clock: clock.clone() })))
    }

    pub(super) async fn read<T, E>(
        &self,
        job: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        let pool = Arc::clone(&self.0);
        let _permit = self.0.permits.acquire().await.map_err(|_| StorageError::Unavailable)?;
        tokio::task::spawn_blocking(move || {
            let lease = Lease::take(&pool)?;
            lease.snapshot(pool.clock.now(), job)
        })
        .await
        .map_err(|_| StorageError::Unavailable)?
    }
}

/// A borrowed connection, which goes back to the pool even when the job panics.
struct Lease<'p> {
    pool: &'p Pool,
    connection: Option<Connection>,
}

impl<'p> Lease<'p> {
    fn take(pool: &'p Pool) -> Result<Self, StorageError> {
        let connection = pool.idle.lock().pop().ok_or(StorageError::Unavailable)?;
        Ok(Self { pool, connection: Some(connection) })
    }

    fn snapshot<T, E: From<StorageError>>(
        &self,
        now: holodrive_protocol::Timestamp,
        job: impl FnOnce(&mut Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let connection = self.connection.as_ref().ok_or(StorageError::Unavailable)?;
        let transaction = connection.unchecked_transaction().map_err(StorageError::from)?;
        job(&mut Tx::new(&transaction, now))
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.pool.idle.lock().extend(self.connection.take());
    }
}
