//! What a driver has in hand, for him who connects or polls.
//!
//! It is read beside the writer. The writer is asked only where something is to be stored before the answer: the end of an
//! offer that has run out, or a delivery.

use std::{collections::HashSet, sync::Arc, time::Duration};

use holodrive_protocol::{Timestamp, UserId};
use parking_lot::Mutex;

use super::{
    error::OrderError,
    record::{LiveOffer, OrderRecord},
    service::Orders,
    store,
};
use crate::{
    dispatch::Change,
    storage::{StorageError, Tx},
};

/// How many times within `DRIVER_STALE_AFTER` other nodes are told that a driver polls at this one.
const ANNOUNCEMENTS: u32 = 4;

/// What a driver has in hand.
pub(super) struct DriverSnapshot {
    /// Offered to him, oldest first.
    pub(super) offers: Vec<OrderRecord>,
    /// What he drives.
    pub(super) trip: Option<OrderRecord>,
}

impl DriverSnapshot {
    fn read(tx: &mut Tx<'_>, driver_id: UserId) -> Result<Self, StorageError> {
        Ok(Self { offers: store::offered_to(tx, driver_id)?, trip: store::trip_of(tx, driver_id)? })
    }

    /// His live offers.
    pub(super) fn live_offers(&self) -> impl Iterator<Item = &LiveOffer> {
        self.offers.iter().flat_map(|order| &order.offers)
    }

    fn is_overdue(&self, now: Timestamp) -> bool {
        self.live_offers().any(|offer| offer.is_overdue(now))
    }

    fn is_delivered(&self) -> bool {
        self.live_offers().all(|offer| offer.delivered_at.is_some())
    }
}

impl Orders {
    /// What a driver has in hand after what has run out was ended, and the newest entry of the history that this holds.
    pub(super) async fn driver_snapshot(
        self: &Arc<Self>,
        driver_id: UserId,
    ) -> Result<(DriverSnapshot, i64), OrderError> {
        let read = move |tx: &mut Tx<'_>| {
            let snapshot = DriverSnapshot::read(tx, driver_id)?;
            let is_overdue = snapshot.is_overdue(tx.now());
            Ok::<_, OrderError>(((snapshot, store::last_event(tx)?), is_overdue))
        };
        let (snapshot, is_overdue) = self.storage.read(read).await?;
        if !is_overdue {
            return Ok(snapshot);
        }
        let orders = Arc::clone(self);
        self.storage
            .write(move |tx| {
                orders.sweep_driver(tx, driver_id)?;
                Ok((DriverSnapshot::read(tx, driver_id)?, store::last_event(tx)?))
            })
            .await
    }

    /// A driver asks for his orders: that is a sign of life, and what he gets counts as delivered.
    pub(super) async fn answer_poll(self: &Arc<Self>, driver_id: UserId) -> Result<DriverSnapshot, OrderError> {
        let read = move |tx: &mut Tx<'_>| Ok::<_, OrderError>((DriverSnapshot::read(tx, driver_id)?, tx.now()));
        let (mut snapshot, now) = self.storage.read(read).await?;
        if snapshot.is_overdue(now) || !snapshot.is_delivered() {
            let orders = Arc::clone(self);
            snapshot = self.storage.write(move |tx| orders.poll(tx, driver_id)).await?;
        }
        self.has_polled(driver_id).await;
        Ok(snapshot)
    }

    /// Ends what has run out, and stores that he has the rest.
    pub(super) fn poll(self: &Arc<Self>, tx: &mut Tx<'_>, driver_id: UserId) -> Result<DriverSnapshot, OrderError> {
        self.sweep_driver(tx, driver_id)?;
        let snapshot = DriverSnapshot::read(tx, driver_id)?;
        for offer in snapshot.live_offers().filter(|offer| offer.delivered_at.is_none()) {
            self.deliver(tx, offer.id, driver_id)?;
        }
        Ok(snapshot)
    }

    /// This node hears of every poll, the others now and then.
    async fn has_polled(self: &Arc<Self>, driver_id: UserId) {
        let now = self.storage.clock().now();
        self.board.update(|board| board.driver_seen(driver_id, now));
        if self.announced.is_due(driver_id, now, self.config.driver_stale_after / ANNOUNCEMENTS) {
            let orders = Arc::clone(self);
            let announced = self.storage.write(move |tx| {
                let now = tx.now();
                orders.change_board(tx, Change::DriverSeen(driver_id, now));
                Ok(())
            });
            if let Err::<(), StorageError>(error) = announced.await {
                tracing::debug!(%error, driver_id = %driver_id, "other nodes could not be told of a driver who polls");
            }
        }
    }
}

/// Of which drivers other nodes were told lately.
#[derive(Debug, Default)]
pub(super) struct Announced {
    lately: Mutex<Lately>,
}

#[derive(Debug)]
struct Lately {
    since: Timestamp,
    drivers: HashSet<UserId>,
}

impl Default for Lately {
    fn default() -> Self {
        Self { since: Timestamp::from_micros(0), drivers: HashSet::new() }
    }
}

impl Announced {
    /// Whether they are to be told of this one: the first time within each `interval`.
    fn is_due(&self, driver_id: UserId, now: Timestamp, interval: Duration) -> bool {
        let mut lately = self.lately.lock();
        if now < lately.since || now.since(lately.since) >= interval {
            *lately = Lately { since: now, drivers: HashSet::new() };
        }
        lately.drivers.insert(driver_id)
    }
}
