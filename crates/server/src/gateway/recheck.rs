//! Looks again, every `RECHECK_INTERVAL`, at what live connections rest on.

use std::{sync::Arc, time::Duration};

use super::{Close, Gateway};
use crate::accounts::{Refusal, Standing};

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
        let connections = self.registry.connections();
        if connections.is_empty() {
            return;
        }
        let identities = connections.iter().map(|connection| connection.identity()).collect();
        let standings = match self.accounts.recheck(identities).await {
            Ok(standings) => standings,
            Err(Refusal::Unavailable | Refusal::Unauthorized | Refusal::TokenExpired) => {
                tracing::warn!("live connections cannot be checked: the database cannot be read");
                return;
            }
        };
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
        for endpoint in self.endpoints() {
            endpoint.recheck().await;
        }
    }
}
