//! What the passing of time has ended.

use holodrive_protocol::{OfferId, OrderId, Timestamp, UserId};

use super::{OfferEnd, Revocation};
use crate::storage::{Row, StorageError, Tx, Value};

/// Live offers whose time has run out, each with how it ends.
pub(in crate::orders) fn overdue_offers(
    tx: &mut Tx<'_>,
    driver_id: Option<UserId>,
    limit: usize,
) -> Result<Vec<(OfferId, OfferEnd)>, StorageError> {
    let mut params: Vec<Value> = vec![tx.now().into(), limit.into()];
    params.extend(driver_id.map(Value::from));
    let live = if driver_id.is_some() { "state = 'live' AND driver_id = $3" } else { "state = 'live'" };
    // An index for each half; the plus keeps SQLite from taking the first one's for both, and reading all live offers.
    let claim = tx.dialect().skip_locked();
    let sql = format!(
        "SELECT id, TRUE FROM (SELECT id FROM holodrive_offer WHERE {live} AND expires_at <= $1 LIMIT $2 {claim}) AS expired \
         UNION ALL SELECT id, FALSE FROM (SELECT id FROM holodrive_offer WHERE {live} AND delivered_at IS NULL \
         AND unreachable_at <= $1 AND +expires_at > $1 LIMIT $2 {claim}) AS unreachable"
    );
    let rows = tx.query(&sql, &params)?.into_iter().map(Row::columns);
    rows.map(|mut row| {
        let (id, expired) = (row.take()?, row.take()?);
        Ok((id, if expired { OfferEnd::Expired } else { OfferEnd::Revoked(Revocation::Unreachable) }))
    })
    .collect()
}

/// Orders whose search has run out.
pub(in crate::orders) fn overdue_searches(tx: &mut Tx<'_>, limit: usize) -> Result<Vec<OrderId>, StorageError> {
    let sql = format!(
        "SELECT id FROM holodrive_order WHERE status = 'searching' AND search_until <= $1 ORDER BY search_until LIMIT $2 {}",
        tx.dialect().skip_locked()
    );
    tx.query(&sql, &[tx.now().into(), limit.into()])?.into_iter().map(Row::first).collect()
}

/// The live offers of a driver.
pub(in crate::orders) fn live_offers_of(tx: &mut Tx<'_>, driver_id: UserId) -> Result<Vec<OfferId>, StorageError> {
    let sql = "SELECT id FROM holodrive_offer WHERE driver_id = $1 AND state = 'live' ORDER BY id";
    tx.query(sql, &[driver_id.into()])?.into_iter().map(Row::first).collect()
}

/// A driver on his way to a rider, of whom nothing is stored that is newer than asked for.
#[derive(Clone, Copy, Debug)]
pub(in crate::orders) struct SilentDriver {
    pub(in crate::orders) order_id: OrderId,
    pub(in crate::orders) driver_id: UserId,
    /// The last sign of life that is stored.
    pub(in crate::orders) seen_at: Option<Timestamp>,
}

/// Those who drive to a rider and are silent since then, as far as is stored; those of orders after `after`.
pub(in crate::orders) fn silent_drivers(
    tx: &mut Tx<'_>,
    since: Timestamp,
    after: OrderId,
    limit: usize,
) -> Result<Vec<SilentDriver>, StorageError> {
    let sql = "SELECT o.id, o.driver_id, d.seen_at FROM holodrive_order o \
        LEFT JOIN holodrive_driver d ON d.driver_id = o.driver_id \
        WHERE o.status IN ('accepted', 'arrived') AND o.id > $2 AND (d.seen_at IS NULL OR d.seen_at <= $1) \
        ORDER BY o.id LIMIT $3";
    let rows = tx.query(sql, &[since.into(), after.into(), limit.into()])?.into_iter().map(Row::columns);
    rows.map(|mut row| Ok(SilentDriver { order_id: row.take()?, driver_id: row.take()?, seen_at: row.take()? }))
        .collect()
}
