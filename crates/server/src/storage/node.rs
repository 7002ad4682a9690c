//! This process as one of the nodes on its database.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};

use super::{Storage, StorageError, Tx, outbox::forget_published, postgres::Listener};

/// How soon what another node commits is published here at the latest, on a quiet node that is told of nothing.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(50);
/// The same where the database tells of it, but may fail to.
const TOLD_INTERVAL: Duration = Duration::from_secs(1);
/// How often a node shows that it lives.
const ATTEND_INTERVAL: Duration = Duration::from_secs(10);

impl Storage {
    /// Makes this process one of the nodes on the database. `snapshot` reads, in the same transaction, what the node needs
    /// to know at the beginning; it hears of everything that is committed later.
    ///
    /// # Errors
    /// The snapshot's own error, or [`StorageError`] when the database fails.
    pub async fn join<E: From<StorageError> + Send + 'static>(
        &self,
        snapshot: impl FnOnce(&mut Tx<'_>) -> Result<(), E> + Send + 'static,
    ) -> Result<(), E> {
        let outbox = Arc::clone(&self.outbox);
        self.write(move |tx| {
            outbox.join(tx)?;
            snapshot(tx)
        })
        .await
    }

    /// Publishes what other nodes commit, and shows them that this one lives, for as long as it runs.
    pub async fn follow_for_ever(self) {
        let mut attend_at = Instant::now();
        let listener = self.postgres.clone().map(Listener::start);
        loop {
            let due = attend_at <= Instant::now();
            let followed = if due { self.attend().await } else { self.follow().await };
            match followed {
                Ok(()) if due => attend_at = Instant::now() + ATTEND_INTERVAL,
                Ok(()) => {}
                Err(error) => tracing::warn!(%error, "what other nodes commit cannot be read; trying again"),
            }
            match &listener {
                // Whether it heard something or nothing for long does not matter.
                Some(listener) => drop(timeout(TOLD_INTERVAL, listener.news()).await),
                None => sleep(FOLLOW_INTERVAL).await,
            }
        }
    }

    /// A transaction begins by publishing what others have committed, and what this node could not be sure to have, so one that
    /// writes nothing is enough.
    pub(super) async fn follow(&self) -> Result<(), StorageError> {
        let outbox = Arc::clone(&self.outbox);
        if !self.is_healthy() || self.read(move |tx| outbox.is_behind(tx)).await? {
            self.write(|_| Ok::<_, StorageError>(())).await?;
        }
        Ok(())
    }

    pub(super) async fn attend(&self) -> Result<(), StorageError> {
        let outbox = Arc::clone(&self.outbox);
        self.write(move |tx| outbox.attend(tx)).await?;
        while self.write(forget_published).await? {}
        Ok(())
    }

    /// Changes whenever this node may have missed what others committed, because it was taken for dead or could not join at
    /// its start: whoever listens must come again, and views in memory must be made anew.
    pub fn misses(&self) -> watch::Receiver<u64> {
        self.outbox.misses()
    }

    /// Ends this process's part among the nodes, for a stop in order.
    ///
    /// # Errors
    /// When the database fails; then the other nodes take this one for dead after a while.
    pub async fn leave(&self) -> Result<(), StorageError> {
        let outbox = Arc::clone(&self.outbox);
        self.write(move |tx| outbox.leave(tx)).await
    }
}
