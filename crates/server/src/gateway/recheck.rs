//! Looks again, every `RECHECK_INTERVAL`, at what live connections rest on.

use std::{sync::Arc, time::Duration};

use super::{Close, Connection, Gateway};
use crate::accounts::{Refusal, Standing};

/// How many connections are looked after at once: with all of them, all users would be in memory twice.
const AT_ONCE: usize = 100;

impl Gateway {
    /// Looks again for as long as the server runs.
    pub async fn recheck_for_ever(self: Arc<Self>, interval: Duration) {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.recheck().await;
        }
    }

    /// One look: closes the connections of users and sessions that are gone, and lets the features look after theirs.
    async fn recheck(&self) {
        if self.registry.count() == 0 {
            return;
        }
        let mut connections: Vec<_> = self.registry.connections().collect();
        // Neighbours in the database are read together.
        connections.sort_unstable_by_key(|connection| connection.user_id());
        for some in connections.chunks(AT_ONCE) {
            if self.recheck_some(some).await.is_err() {
                tracing::warn!("live connections cannot be checked: the database cannot be read");
                return;
            }
        }
        for endpoint in self.endpoints() {
            endpoint.recheck().await;
        }
    }

    async fn recheck_some(&self, connections: &[Arc<Connection>]) -> Result<(), Refusal> {
        let grounds = connections.iter().map(|connection| connection.grounds()).collect();
        let standings = self.accounts.recheck(grounds).await?;
        for (connection, standing) in connections.iter().zip(standings) {
            match standing {
                Standing::Good(user) => connection.refresh(user),
                Standing::UserGone => connection.close(Close::unauthorized("the user is no longer active", false)),
                Standing::SessionGone => {
                    connection.close(Close::unauthorized(
                        "the session has ended: log in, or come back with the new cookie",
                        true,
                    ));
                }
            }
        }
        Ok(())
    }
}
