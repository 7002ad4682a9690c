//! Offers that have not reached their driver's device: what `push` asks of orders.
//!
//! An offer's `push_at` says when its driver is to be told by push. A node that takes this on moves it ahead, again and again
//! until the push has come to an end: should the node die, the moment comes and another one takes over. So an offer that
//! stays live and undelivered is pushed at least once, and twice only where somebody was lost over it.

use std::{sync::Arc, time::Duration};

use holodrive_protocol::{OfferId, Order, Timestamp, UserId};
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::Notify;

use super::{
    error::OrderError,
    service::{Orders, later, load_order},
    store::record_event,
};
use crate::storage::{Columns, Row, StorageError, Tx};

/// A driver who is not connected here may be so to another node: his device has this long to show it.
const CONNECTED_ELSEWHERE: Duration = Duration::from_secs(1);

/// How long it is worth telling a phone that an offer is over.
const OVER_COUNTS: Duration = Duration::from_mins(5);

/// Whether a push of this offer is still worth it. Who has been offered the order again is not told that an earlier offer is
/// over: on his phone that would take the place of the new one.
const IS_WORTH_IT: &str = "(state = 'live' OR NOT EXISTS (SELECT 1 FROM holodrive_offer AS newer \
    WHERE newer.order_id = holodrive_offer.order_id AND newer.driver_id = holodrive_offer.driver_id \
    AND newer.id > holodrive_offer.id AND newer.state IN ('live', 'accepted')))";

/// An offer whose driver is to be told by push, taken on by this node.
#[derive(Clone, Debug)]
pub struct DuePush {
    /// The offer.
    pub offer_id: OfferId,
    /// Who is to be told.
    pub driver_id: UserId,
    /// What he is offered.
    pub order: Order,
    /// Whether he can still accept it; otherwise he was told of it, and is to be told that it is over.
    pub is_live: bool,
    /// Until when he may accept; where it is over, until when that is worth telling.
    pub expires_at: Timestamp,
    /// The time by the database's clock when it was taken on.
    pub taken_at: Timestamp,
    /// Until then it is this node's.
    held_until: Timestamp,
}

/// What came of a push to one device, or to the back end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushResult {
    /// By which way; none where the driver can be reached by none.
    pub way: Option<&'static str>,
    /// The device; none for the back end.
    pub device_id: Option<i64>,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it failed.
    pub failure: Option<String>,
}

/// Tells when the next push is due.
#[derive(Debug, Default)]
pub(super) struct PushAlarm {
    earliest: Mutex<Option<Timestamp>>,
    changed: Notify,
}

impl PushAlarm {
    fn set(&self, at: Timestamp) {
        let mut earliest = self.earliest.lock();
        if earliest.is_none_or(|earliest| at < earliest) {
            *earliest = Some(at);
            self.changed.notify_one();
        }
    }
}

impl Orders {
    /// When a new offer to this driver is to be pushed; `None` where nothing can be.
    pub(super) fn push_at(&self, tx: &mut Tx<'_>, connected: bool) -> Option<Timestamp> {
        let after = if connected {
            self.config.push_after
        } else if tx.is_alone() {
            Duration::ZERO
        } else {
            self.config.push_after.min(CONNECTED_ELSEWHERE)
        };
        self.config.pushes().then(|| later(tx.now(), after))
    }

    /// After the commit, wakes who pushes, in time for this moment.
    pub(super) fn wake_pusher(self: &Arc<Self>, tx: &mut Tx<'_>, push_at: Option<Timestamp>) {
        if let Some(at) = push_at {
            let orders = Arc::clone(self);
            tx.after_commit(move || orders.push_alarm.set(at));
        }
    }

    /// How long it is until the next push is due; zero where one is overdue.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn next_push(&self) -> Result<Option<Duration>, StorageError> {
        *self.push_alarm.earliest.lock() = None;
        let (next, now) = self.storage.read(|tx| Ok::<_, StorageError>((next_push_at(tx)?, tx.now()))).await?;
        if let Some(next) = next {
            let mut earliest = self.push_alarm.earliest.lock();
            *earliest = Some(earliest.map_or(next, |earliest| earliest.min(next)));
        }
        let until = |at: Timestamp| at.as_micros().saturating_sub(now.as_micros()).max(0).unsigned_abs();
        Ok(next.map(|at| Duration::from_micros(until(at))))
    }

    /// Waits until a push is due earlier than [`Orders::next_push`] said.
    pub async fn earlier_push(&self) {
        self.push_alarm.changed.notified().await;
    }

    /// Takes on pushes that are due, and holds them for a while.
    ///
    /// # Errors
    /// When the database fails.
    pub fn take_pushes(&self, tx: &mut Tx<'_>, limit: usize, hold: Duration) -> Result<Vec<DuePush>, OrderError> {
        let (taken_at, held_until) = (tx.now(), later(tx.now(), hold));
        let sql = format!(
            "UPDATE holodrive_offer SET push_at = CASE WHEN {IS_WORTH_IT} THEN CAST($2 AS BIGINT) END \
             WHERE id IN (SELECT id FROM holodrive_offer \
             WHERE push_at <= $1 AND (state <> 'live' OR expires_at > $1) ORDER BY push_at LIMIT $3 {}) \
             RETURNING push_at, id, driver_id, state = 'live', expires_at, order_id",
            tx.dialect().skip_locked()
        );
        let rows = tx.query(&sql, &[taken_at.into(), held_until.into(), limit.into()])?;
        let taken = rows.into_iter().map(|row| self.taken(tx, &mut row.columns(), taken_at));
        taken.filter_map(Result::transpose).collect()
    }

    /// `None` where it is not worth it any more.
    fn taken(&self, tx: &mut Tx<'_>, row: &mut Columns, taken_at: Timestamp) -> Result<Option<DuePush>, OrderError> {
        let Some(held_until) = row.take()? else { return Ok(None) };
        let (offer_id, driver_id, is_live, expires_at) = (row.take()?, row.take()?, row.take()?, row.take()?);
        let expires_at = if is_live { expires_at } else { later(taken_at, OVER_COUNTS) };
        let order = self.view(&load_order(tx, row.take()?)?.seen_by(driver_id));
        Ok(Some(DuePush { offer_id, driver_id, order, is_live, expires_at, taken_at, held_until }))
    }

    /// Goes on holding a push for so long. `false` when the driver need not be told any more, or another node tells him.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn hold_push(&self, push: &mut DuePush, time: Duration) -> Result<bool, StorageError> {
        let (offer_id, held_until) = (push.offer_id, push.held_until);
        let held = self.storage.write(move |tx| {
            // Whatever else becomes of the offer changes this moment.
            let sql = format!(
                "UPDATE holodrive_offer SET push_at = CASE WHEN {IS_WORTH_IT} THEN CAST($3 AS BIGINT) END \
                 WHERE id = $1 AND push_at = $2 RETURNING push_at"
            );
            let params = [offer_id.into(), held_until.into(), later(tx.now(), time).into()];
            let row = tx.query_one(&sql, &params)?;
            row.map(Row::first::<Option<Timestamp>>).transpose()
        });
        let held = held.await?.flatten();
        push.held_until = held.unwrap_or(push.held_until);
        Ok(held.is_some())
    }

    /// Puts down in the order's history what came of the push of a live offer; when all is done, nobody takes it on again.
    ///
    /// # Errors
    /// When the database fails.
    pub fn settle_push(
        &self,
        tx: &mut Tx<'_>,
        push: &DuePush,
        results: &[PushResult],
        done: bool,
    ) -> Result<(), StorageError> {
        for result in results.iter().filter(|_| push.is_live) {
            record_result(tx, push, result)?;
        }
        let pushed_at = results.iter().any(|result| result.failure.is_none()).then(|| tx.now());
        let push_at = if done { None } else { Some(push.held_until) };
        let sql = "UPDATE holodrive_offer SET push_at = $3, pushed_at = COALESCE(pushed_at, $4) \
            WHERE id = $1 AND push_at = $2";
        let params = [push.offer_id.into(), push.held_until.into(), push_at.into(), pushed_at.into()];
        let is_ours = tx.execute(sql, &params)? == 1;
        if pushed_at.is_some() && !is_ours { self.pushed_late(tx, push.offer_id) } else { Ok(()) }
    }

    /// The driver was told, or may have been, of an offer that had come to an end meanwhile: so nobody knew then that he is to
    /// be told of the end.
    ///
    /// # Errors
    /// When the database fails.
    pub fn pushed_late(&self, tx: &mut Tx<'_>, offer_id: OfferId) -> Result<(), StorageError> {
        let sql = "UPDATE holodrive_offer SET pushed_at = $2, \
            push_at = CASE WHEN state IN ('expired', 'revoked') AND delivered_at IS NULL THEN CAST($2 AS BIGINT) END \
            WHERE id = $1 AND pushed_at IS NULL AND state <> 'live'";
        tx.execute(sql, &[offer_id.into(), tx.now().into()]).map(|_| ())
    }
}

fn next_push_at(tx: &mut Tx<'_>) -> Result<Option<Timestamp>, StorageError> {
    let sql = "SELECT MIN(push_at) FROM holodrive_offer WHERE push_at IS NOT NULL";
    Ok(tx.query_one(sql, &[])?.map(Row::first::<Option<Timestamp>>).transpose()?.flatten())
}

fn record_result(tx: &mut Tx<'_>, push: &DuePush, result: &PushResult) -> Result<(), StorageError> {
    let mut details = json!({"driver_id": push.driver_id, "offer_id": push.offer_id});
    if let Some(way) = result.way {
        details["way"] = way.into();
        details["attempts"] = result.attempts.into();
    }
    if let Some(device_id) = result.device_id {
        details["device_id"] = device_id.into();
    }
    if let Some(reason) = &result.failure {
        details["reason"] = reason.as_str().into();
    }
    let kind = if result.failure.is_some() { "push_failed" } else { "pushed" };
    record_event(tx, push.order.id, kind, None, &details).map(|_| ())
}
