//! Carries out what the board plans: makes offers, and ends what has run out, on time.

use std::{sync::Arc, time::Duration};

use holodrive_protocol::Timestamp;
use tokio::time::{sleep, timeout};

use super::{
    error::OrderError,
    service::{Orders, later},
};
use crate::dispatch::{Match, Plan};

/// How often the database is asked for overdue offers even when no timer says so: another process may have left some.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// How long to wait before a failed step is tried again.
const RETRY_AFTER: Duration = Duration::from_millis(250);
/// How soon a driver to whom an offer could not be made is thought of again, at the least.
const REFUSED_FOR: Duration = Duration::from_secs(1);

impl Orders {
    /// Dispatches for as long as the server runs.
    pub async fn dispatch_for_ever(self: Arc<Self>) {
        let mut swept_at = tokio::time::Instant::now() - SWEEP_INTERVAL;
        loop {
            let now = self.storage.clock().now();
            let plan = self.plan(now);
            self.make_offers(&plan.matches);
            if plan.overdue || swept_at.elapsed() >= SWEEP_INTERVAL {
                swept_at = tokio::time::Instant::now();
                if self.sweep_all().await.is_err() || self.is_behind(now) {
                    sleep(RETRY_AFTER).await;
                }
            } else {
                // A change of the board and a deadline are equally good reasons to plan again.
                let _ = timeout(self.until(plan.wake_at), self.board_changed.notified()).await;
            }
        }
    }

    fn plan(&self, now: Timestamp) -> Plan {
        let mut board = self.board.lock();
        let plan = board.plan(now);
        let (offers, waiting) = board.counts();
        drop(board);
        self.metrics.live_offers(i64::try_from(offers).unwrap_or(i64::MAX));
        self.metrics.waiting_orders(i64::try_from(waiting).unwrap_or(i64::MAX));
        plan
    }

    /// Hands the matches to the writer, all at once, so that they share a commit.
    fn make_offers(self: &Arc<Self>, matches: &[Match]) {
        for found in matches {
            tokio::spawn(Arc::clone(self).make_one_offer(*found));
        }
    }

    async fn make_one_offer(self: Arc<Self>, found: Match) {
        let orders = Arc::clone(&self);
        let made = self.storage.write(move |tx| orders.offer(tx, &found)).await;
        if let Err(error) = &made {
            tracing::warn!(%error, order_id = found.order_id, "an offer could not be made");
        }
        if !matches!(made, Ok(true)) {
            let pause = self.config.order_reoffer_after.max(REFUSED_FOR);
            let until = later(self.storage.clock().now(), pause);
            self.with_board(|board| board.offer_refused(&found, until));
        }
    }

    async fn sweep_all(self: &Arc<Self>) -> Result<(), OrderError> {
        loop {
            let orders = Arc::clone(self);
            match self.storage.write(move |tx| orders.sweep(tx)).await {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) => {
                    tracing::error!(%error, "overdue offers could not be ended; trying again");
                    return Err(error);
                }
            }
        }
    }

    /// Whether what was overdue when it was planned still is, although the database has nothing overdue: then the clocks
    /// differ a little. What fell due since then is no such sign, and must not wait.
    fn is_behind(&self, planned_at: Timestamp) -> bool {
        self.board.lock().is_overdue(planned_at)
    }

    fn until(&self, wake_at: Option<Timestamp>) -> Duration {
        let now = self.storage.clock().now().as_micros();
        wake_at.map_or(SWEEP_INTERVAL, |at| {
            let micros = at.as_micros().saturating_sub(now).max(0).unsigned_abs();
            // Timers count in milliseconds: rounded up, so as not to wake too early.
            Duration::from_millis(micros.div_ceil(1_000)).min(SWEEP_INTERVAL)
        })
    }
}
