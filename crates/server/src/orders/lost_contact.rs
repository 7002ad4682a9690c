//! Drivers who fall silent on their way to a rider: after `ORDER_DRIVER_UNREACHABLE_TIMEOUT` the order searches again.
//!
//! A node hears of the drivers of other nodes late, or never where those cannot tell. So what each hears is stored before it
//! gets old, and what is stored is judged.

use std::{sync::Arc, time::Duration};

use holodrive_protocol::{OrderId, Timestamp};
use tokio::time::sleep;

use super::{
    driver_store,
    error::OrderError,
    service::Orders,
    transitions::{self, GivenBack, SilentDriver},
};
use crate::storage::Tx;

/// Looks within the time that a driver may be silent.
const LOOKS: u32 = 4;
const LONGEST_INTERVAL: Duration = Duration::from_secs(15);
/// Trips that are looked at in one transaction.
const AT_ONCE: usize = 250;

impl Orders {
    /// Takes orders from drivers who were silent for `timeout`, for as long as the server runs.
    pub async fn watch_contact_for_ever(self: Arc<Self>, timeout: Duration) {
        let mut listening = Listening::default();
        loop {
            sleep((timeout / LOOKS).min(LONGEST_INTERVAL)).await;
            let is_certain = listening.covers(timeout, self.storage.clock().now());
            if let Err(error) = self.watch_contact(timeout, is_certain).await {
                tracing::warn!(%error, "the drivers on their way cannot be looked after; trying again");
                listening = Listening::default();
            }
        }
    }

    /// Stores what was heard of drivers on their way; where it `is_certain` that they could be heard, takes their orders from the silent.
    pub(super) async fn watch_contact(self: &Arc<Self>, timeout: Duration, is_certain: bool) -> Result<(), OrderError> {
        let mut next = Some(0);
        while let Some(after) = next {
            let orders = Arc::clone(self);
            let look = move |tx: &mut Tx<'_>| orders.look_after_contact(tx, timeout, is_certain, after);
            next = self.storage.write(look).await?;
        }
        Ok(())
    }

    /// Gives the order after which more may follow.
    pub(super) fn look_after_contact(
        self: &Arc<Self>,
        tx: &mut Tx<'_>,
        timeout: Duration,
        is_certain: bool,
        after: OrderId,
    ) -> Result<Option<OrderId>, OrderError> {
        let (now, silent_since) = (tx.now(), tx.now().before(timeout));
        let silent = transitions::silent_drivers(tx, now.before(timeout / 2), after, AT_ONCE)?;
        for SilentDriver { order_id, driver_id, seen_at } in &silent {
            let heard_at = self.board.look(|board| board.last_heard(*driver_id, now)).max(*seen_at);
            if let Some(heard_at) = heard_at.filter(|_| heard_at > *seen_at) {
                driver_store::set_driver_seen(tx, *driver_id, heard_at)?;
            }
            if is_certain && heard_at.is_none_or(|at| at <= silent_since) {
                self.take_away(tx, *order_id, GivenBack::LostContact { silent_since })?;
            }
        }
        Ok(silent.last().filter(|_| silent.len() == AT_ONCE).map(|last| last.order_id))
    }
}

/// Since when drivers could be heard: not while the server was down, nor while the database was, nor while a clock jumped.
#[derive(Debug, Default)]
struct Listening {
    /// From when to when, without a gap.
    span: Option<(Timestamp, Timestamp)>,
}

impl Listening {
    /// Whether all of the last `timeout` is covered.
    fn covers(&mut self, timeout: Duration, now: Timestamp) -> bool {
        let unbroken = self.span.filter(|(_, last)| *last <= now && now.since(*last) <= timeout / 2);
        let since = unbroken.map_or(now, |(since, _)| since);
        self.span = Some((since, now));
        now.since(since) >= timeout
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(60);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn who_has_just_begun_to_listen_does_not_judge() {
        let mut listening = Listening::default();
        let covered: Vec<_> = (0..=5).map(|look| listening.covers(TIMEOUT, at(1_000 + look * 15))).collect();
        assert_eq!(covered, [false, false, false, false, true, true]);
    }

    #[test]
    fn a_gap_or_a_clock_that_was_set_begins_anew() {
        for jump in [-3_600, 31, 3_600] {
            let mut listening = Listening::default();
            for look in 0..=4 {
                listening.covers(TIMEOUT, at(10_000 + look * 15));
            }
            assert!(!listening.covers(TIMEOUT, at(10_060 + jump)), "{jump}");
            assert!(!listening.covers(TIMEOUT, at(10_060 + jump + 15)), "{jump}");
        }
    }
}
