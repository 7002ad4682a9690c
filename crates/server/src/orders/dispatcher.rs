//! Carries out what the board plans: makes offers, and ends what has run out, on time.

use std::{sync::Arc, time::Duration};

use holodrive_protocol::Timestamp;
use tokio::time::{Instant, sleep, timeout};

use super::{
    endings::SWEEP,
    error::OrderError,
    offers::Offering,
    service::{Orders, later},
};
use crate::dispatch::{Match, Plan};

/// How often the database is asked for overdue offers even when no timer says so: another process may have left some.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// How long to wait before a failed step is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(250);
/// Overdue offers and searches that are compared with the database in one transaction.
const COMPARED_AT_ONCE: usize = 64;
/// How soon a driver to whom an offer could not be made is thought of again, at the least.
const REFUSED_FOR: Duration = Duration::from_secs(1);

impl Orders {
    /// Dispatches for as long as the server runs.
    pub async fn dispatch_for_ever(self: Arc<Self>) {
        let mut next_sweep = Instant::now();
        loop {
            let now = self.storage.clock().now();
            let plan = self.plan(now);
            self.make_offers(plan.matches);
            if plan.overdue || next_sweep <= Instant::now() {
                next_sweep = self.sweep_at(now).await;
            } else {
                // A change of the board and a deadline are equally good reasons to plan again.
                let _ = timeout(until(plan.wake_at, now), self.board.changed()).await;
            }
        }
    }

    pub(super) fn plan(&self, now: Timestamp) -> Plan {
        let (plan, (offers, waiting)) = self.board.look(|board| (board.plan(now), board.counts()));
        self.metrics.live_offers(i64::try_from(offers).unwrap_or(i64::MAX));
        self.metrics.waiting_orders(i64::try_from(waiting).unwrap_or(i64::MAX));
        plan
    }

    /// Hands the matches to the writer, all at once, so that they share a commit.
    fn make_offers(self: &Arc<Self>, matches: Vec<Match>) {
        for found in matches {
            tokio::spawn(Arc::clone(self).make_one_offer(found));
        }
    }

    pub(super) async fn make_one_offer(self: Arc<Self>, found: Match) {
        let (orders, found) = (Arc::clone(&self), Arc::new(found));
        let wanted = Arc::clone(&found);
        let made = self.storage.write(move |tx| orders.offer(tx, &wanted)).await;
        let now = self.storage.clock().now();
        match made {
            Ok(Offering::Made) => {}
            Ok(Offering::NotFree) => self.board.update(|board| board.offer_refused(&found, later(now, REFUSED_FOR))),
            Ok(Offering::NotADriver) => {
                let until = later(now, self.config.order_reoffer_after.max(REFUSED_FOR));
                self.board.update(|board| board.offer_refused(&found, until));
            }
            Err(error) => {
                self.metrics.offer_failed();
                tracing::warn!(%error, order_id = found.order_id, "an offer could not be made");
                self.board.update(|board| board.offer_failed(&found, later(now, RETRY_AFTER)));
            }
        }
    }

    /// Ends what had run out by `now`; gives the time of the next sweep. One at a time, so that offers are made in between.
    pub(super) async fn sweep_at(self: &Arc<Self>, now: Timestamp) -> Instant {
        let orders = Arc::clone(self);
        let swept = self.storage.write(move |tx| orders.sweep(tx)).await;
        if let Err::<_, OrderError>(error) = &swept {
            self.metrics.sweep_failed();
            tracing::error!(%error, "overdue offers could not be ended; trying again");
        }
        if swept.is_err() || !is_full(&swept) && self.is_ahead_of_the_database(now).await {
            sleep(RETRY_AFTER).await;
        }
        Instant::now() + if is_full(&swept) { Duration::ZERO } else { SWEEP_INTERVAL }
    }

    /// Whether the board takes something for overdue that has not run out for the database, whose clock was set back. What has
    /// ended there without the board hearing of it, by hand or by a node of another version, is taken off the board.
    async fn is_ahead_of_the_database(self: &Arc<Self>, now: Timestamp) -> bool {
        let overdue = self.board.look(|board| board.overdue(now, COMPARED_AT_ONCE));
        if overdue.is_empty() {
            return false;
        }
        let (orders, compared) = (Arc::clone(self), overdue.clone());
        let corrected = self.storage.write(move |tx| orders.correct_board(tx, &compared)).await;
        if let Err(error) = &corrected {
            tracing::error!(%error, "what is overdue cannot be compared with the database; trying again");
        }
        corrected.is_err() || self.board.look(|board| board.overdue(now, COMPARED_AT_ONCE)) == overdue
    }
}

/// Whether there may be more to sweep.
fn is_full(swept: &Result<usize, OrderError>) -> bool {
    swept.as_ref().is_ok_and(|ended| *ended >= SWEEP)
}

fn until(wake_at: Option<Timestamp>, now: Timestamp) -> Duration {
    wake_at.map_or(SWEEP_INTERVAL, |at| {
        let micros = at.as_micros().saturating_sub(now.as_micros()).max(0).unsigned_abs();
        // Timers count in milliseconds: rounded up, so as not to wake too early.
        Duration::from_millis(micros.div_ceil(1_000)).min(SWEEP_INTERVAL)
    })
}
