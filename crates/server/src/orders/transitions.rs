//! The state machine of orders and offers: each transition is one conditional statement for the order, one for its offer,
//! and one row of history, in the caller's transaction. Whoever gets the row has won.
//!
//! ```text
//! order:  searching ⇄ pending → accepted → arrived → in_progress → completed
//!         searching → no_driver;  searching, pending, accepted, arrived → cancelled;  accepted, arrived → searching
//! offer:  live → accepted | declined | expired | revoked;  accepted → released
//! ```

use std::collections::HashSet;

use holodrive_protocol::{OfferId, OrderId, OrderStatus, Timestamp, UserId, order::Considered};
use serde_json::json;

use super::{
    pins::Pin,
    store::{SearchTimes, record_event, returned},
};
use crate::storage::{Row, StorageError, Tx, Value};

/// Key of an entry of the history that holds a list of [`Considered`]; it is for staff.
pub(super) const CONSIDERED: &str = "considered";

/// Why an offer was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Revocation {
    /// It never reached the driver's device.
    Unreachable,
    /// Staff gave the order to another driver.
    Reassigned,
    /// The order was cancelled.
    Cancelled,
    /// The driver took another order.
    Busy,
    /// Another driver took the order.
    Taken,
}

impl Revocation {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Reassigned => "reassigned",
            Self::Cancelled => "cancelled",
            Self::Busy => "busy",
            Self::Taken => "taken",
        }
    }
}

/// How a live offer ends without being accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OfferEnd {
    Declined,
    Expired,
    Revoked(Revocation),
}

impl OfferEnd {
    const fn state(self) -> &'static str {
        match self {
            Self::Declined => "declined",
            Self::Expired => "expired",
            Self::Revoked(_) => "revoked",
        }
    }

    const fn event(self) -> &'static str {
        match self {
            Self::Declined => "offer_declined",
            Self::Expired => "offer_expired",
            Self::Revoked(_) => "offer_revoked",
        }
    }
}

/// A new offer.
pub(super) struct NewOffer<'n> {
    pub(super) order_id: OrderId,
    pub(super) driver_id: UserId,
    pub(super) distance_km: Option<f64>,
    pub(super) expires_at: Timestamp,
    pub(super) unreachable_at: Option<Timestamp>,
    /// When the driver is to be told by push.
    pub(super) push_at: Option<Timestamp>,
    /// Live offers that the order may have with this one.
    pub(super) offers_per_order: usize,
    /// Who came into question.
    pub(super) considered: &'n [Considered],
    /// Whether he has a socket open that will be handed the offer.
    pub(super) connected: bool,
    /// Staff who assigned it; `None` for the dispatcher.
    pub(super) actor_id: Option<UserId>,
}

/// searching → pending, with a live offer; where the order may have several, pending stays pending. `None` when the order has
/// as many as it may have, or does not search.
pub(super) fn offer(tx: &mut Tx<'_>, new: &NewOffer<'_>) -> Result<Option<(OfferId, i64)>, StorageError> {
    let Some(slot) = free_slot(tx, new)? else { return Ok(None) };
    let sql = "UPDATE holodrive_order SET status = 'pending' WHERE id = $1 AND (status = 'searching' OR status = $2)";
    let or_status = if new.offers_per_order > 1 { "pending" } else { "searching" };
    if tx.execute(sql, &[new.order_id.into(), or_status.into()])? == 0 {
        return Ok(None);
    }
    let sql = "INSERT INTO holodrive_offer \
        (order_id, driver_id, state, distance_km, created_at, expires_at, unreachable_at, slot, push_at) \
        VALUES ($1, $2, 'live', $3, $4, $5, $6, $7, $8) RETURNING id";
    let params = [
        new.order_id.into(),
        new.driver_id.into(),
        new.distance_km.into(),
        tx.now().into(),
        new.expires_at.into(),
        new.unreachable_at.into(),
        slot.into(),
        new.push_at.into(),
    ];
    let offer_id = returned(tx.query_one(sql, &params)?)?;
    let mut details = json!({
        "driver_id": new.driver_id, "offer_id": offer_id,
        "distance_to_pickup_km": new.distance_km, "expires_at": new.expires_at, "connected": new.connected,
    });
    if new.actor_id.is_none() {
        details[CONSIDERED] = json!(new.considered);
    }
    let event = record_event(tx, new.order_id, "offered", new.actor_id, &details)?;
    Ok(Some((offer_id, event)))
}

/// A place among the live offers of the order. An order that may have one has it where the order searches.
fn free_slot(tx: &mut Tx<'_>, new: &NewOffer<'_>) -> Result<Option<usize>, StorageError> {
    if new.offers_per_order == 1 {
        return Ok(Some(0));
    }
    let sql = "SELECT slot FROM holodrive_offer WHERE order_id = $1 AND state = 'live'";
    let rows = tx.query(sql, &[new.order_id.into()])?;
    let taken = rows.into_iter().map(Row::first::<i64>).collect::<Result<HashSet<_>, _>>()?;
    Ok((0..new.offers_per_order).find(|slot| i64::try_from(*slot).is_ok_and(|slot| !taken.contains(&slot))))
}

/// pending → accepted, by the driver who has the live offer, before its deadline. `None` when he has none.
pub(super) fn accept(
    tx: &mut Tx<'_>,
    order_id: OrderId,
    driver_id: UserId,
    pin: Option<&Pin>,
) -> Result<Option<(OfferId, i64)>, StorageError> {
    let sql = "UPDATE holodrive_offer SET state = 'accepted', ended_at = $3, push_at = NULL, \
        delivered_at = COALESCE(delivered_at, $3) \
        WHERE order_id = $1 AND driver_id = $2 AND state = 'live' AND expires_at > $3 RETURNING id";
    let params = [order_id.into(), driver_id.into(), tx.now().into()];
    let Some(offer_id) = tx.query_one(sql, &params)?.map(Row::first).transpose()? else { return Ok(None) };
    let sql = "UPDATE holodrive_order SET status = 'accepted', driver_id = $2, start_pin = $3 \
        WHERE id = $1 AND status = 'pending'";
    let params = [order_id.into(), driver_id.into(), pin.map(Pin::digits).into()];
    must_change(tx.execute(sql, &params)?)?;
    let event = record_event(tx, order_id, "accepted", Some(driver_id), &json!({"offer_id": offer_id}))?;
    Ok(Some((offer_id, event)))
}

/// Ends a live offer; with the last one pending → searching. `None` when it is not live any more.
pub(super) fn end_offer(
    tx: &mut Tx<'_>,
    offer_id: OfferId,
    end: OfferEnd,
    actor_id: Option<UserId>,
) -> Result<Option<EndedOffer>, StorageError> {
    let reason = match end {
        OfferEnd::Revoked(reason) => Some(reason.as_str()),
        OfferEnd::Declined | OfferEnd::Expired => None,
    };
    // A phone that was told of it and never showed up is told that it is over, unless its owner said so himself.
    let sql = "UPDATE holodrive_offer SET state = $2, reason = $3, ended_at = $4, \
        push_at = CASE WHEN pushed_at IS NOT NULL AND delivered_at IS NULL THEN CAST($5 AS BIGINT) END \
        WHERE id = $1 AND state = 'live' RETURNING order_id, driver_id, expires_at";
    let push_at = (end != OfferEnd::Declined).then(|| tx.now());
    let params = [offer_id.into(), end.state().into(), reason.into(), tx.now().into(), push_at.into()];
    let Some(row) = tx.query_one(sql, &params)? else { return Ok(None) };
    let mut row = row.columns();
    let (order_id, driver_id, expires_at): (OrderId, UserId, Timestamp) = (row.take()?, row.take()?, row.take()?);
    // Should the two disagree, which takes a hand in the database, ending the offer mends it: nothing may keep an offer
    // from ending.
    let sql = "UPDATE holodrive_order SET status = 'searching' WHERE id = $1 AND status = 'pending' \
        AND NOT EXISTS (SELECT 1 FROM holodrive_offer f WHERE f.order_id = $1 AND f.state = 'live')";
    tx.execute(sql, &[order_id.into()])?;
    let mut details = json!({"driver_id": driver_id, "offer_id": offer_id});
    if let Some(reason) = reason {
        details["reason"] = reason.into();
    }
    let actor_id = if end == OfferEnd::Declined { Some(driver_id) } else { actor_id };
    let event = record_event(tx, order_id, end.event(), actor_id, &details)?;
    Ok(Some(EndedOffer { order_id, driver_id, expires_at, event }))
}

/// What a live offer was.
pub(super) struct EndedOffer {
    pub(super) order_id: OrderId,
    pub(super) driver_id: UserId,
    pub(super) expires_at: Timestamp,
    pub(super) event: i64,
}

/// Who ends a driver's part in an order that is to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GivenBack {
    /// The driver himself.
    Released,
    /// Staff, or a back end without a user.
    Unassigned { actor_id: Option<UserId> },
}

impl GivenBack {
    const fn event(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Unassigned { .. } => "unassigned",
        }
    }
}

/// accepted, arrived → searching; the search begins anew. `None` when the driver does not have it.
pub(super) fn give_back(
    tx: &mut Tx<'_>,
    order_id: OrderId,
    driver_id: UserId,
    search: SearchTimes,
    by: GivenBack,
) -> Result<Option<i64>, StorageError> {
    let sql = "UPDATE holodrive_order SET status = 'searching', driver_id = NULL, start_pin = NULL, search_from = $3, \
        search_until = $4 WHERE id = $1 AND driver_id = $2 AND status IN ('accepted', 'arrived')";
    if tx.execute(sql, &[order_id.into(), driver_id.into(), search.from.into(), search.until.into()])? == 0 {
        return Ok(None);
    }
    let sql = "UPDATE holodrive_offer SET state = 'released', ended_at = $2 WHERE order_id = $1 AND state = 'accepted'";
    must_change(tx.execute(sql, &[order_id.into(), tx.now().into()])?)?;
    let actor_id = match by {
        GivenBack::Released => Some(driver_id),
        GivenBack::Unassigned { actor_id } => actor_id,
    };
    record_event(tx, order_id, by.event(), actor_id, &json!({"driver_id": driver_id})).map(Some)
}

/// A step of the trip, by its driver, from exactly the step before; to start, with the PIN where the order has one. `None` when
/// the order does not stand there.
pub(super) fn step(
    tx: &mut Tx<'_>,
    order_id: OrderId,
    driver_id: UserId,
    step: TripStep,
    pin: Option<&Pin>,
) -> Result<Option<i64>, StorageError> {
    let (from, to) = step.statuses();
    let sql = "UPDATE holodrive_order SET status = $3 WHERE id = $1 AND driver_id = $2 AND status = $4 \
        AND (status <> 'arrived' OR start_pin IS NULL OR start_pin = $5)";
    let pin = pin.map(Pin::digits);
    let params = [order_id.into(), driver_id.into(), to.as_str().into(), from.as_str().into(), pin.into()];
    if tx.execute(sql, &params)? == 0 {
        return Ok(None);
    }
    record_event(tx, order_id, step.event(), Some(driver_id), &json!({})).map(Some)
}

/// A step that a driver takes on a trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TripStep {
    /// He is at the pickup.
    Arrive,
    /// The rider is in the car.
    Start,
    /// The rider is at his destination.
    Complete,
}

impl TripStep {
    /// Where the order must stand, and where it stands then.
    pub(super) const fn statuses(self) -> (OrderStatus, OrderStatus) {
        match self {
            Self::Arrive => (OrderStatus::Accepted, OrderStatus::Arrived),
            Self::Start => (OrderStatus::Arrived, OrderStatus::InProgress),
            Self::Complete => (OrderStatus::InProgress, OrderStatus::Completed),
        }
    }

    const fn event(self) -> &'static str {
        match self {
            Self::Arrive => "arrived",
            Self::Start => "started",
            Self::Complete => "completed",
        }
    }
}

/// searching, accepted, arrived → cancelled; a live offer must have been revoked before. `None` when it is too late.
pub(super) fn cancel(
    tx: &mut Tx<'_>,
    order_id: OrderId,
    actor_id: UserId,
    by: &str,
) -> Result<Option<i64>, StorageError> {
    let sql = "UPDATE holodrive_order SET status = 'cancelled' \
        WHERE id = $1 AND status IN ('searching', 'accepted', 'arrived')";
    if tx.execute(sql, &[order_id.into()])? == 0 {
        return Ok(None);
    }
    record_event(tx, order_id, "cancelled", Some(actor_id), &json!({"by": by})).map(Some)
}

/// searching → `no_driver`, when the search has run out. `None` when it has not.
pub(super) fn give_up(
    tx: &mut Tx<'_>,
    order_id: OrderId,
    considered: &[Considered],
) -> Result<Option<i64>, StorageError> {
    let sql = "UPDATE holodrive_order SET status = 'no_driver' \
        WHERE id = $1 AND status = 'searching' AND search_until <= $2";
    if tx.execute(sql, &[order_id.into(), tx.now().into()])? == 0 {
        return Ok(None);
    }
    record_event(tx, order_id, "no_driver", None, &json!({ CONSIDERED: considered })).map(Some)
}

/// The driver's device has the offer. `false` when it is not live, or was delivered before.
pub(super) fn deliver(tx: &mut Tx<'_>, offer_id: OfferId, driver_id: UserId) -> Result<bool, StorageError> {
    let sql = "UPDATE holodrive_offer SET delivered_at = $3, push_at = NULL \
        WHERE id = $1 AND driver_id = $2 AND state = 'live' AND delivered_at IS NULL RETURNING order_id";
    let row = tx.query_one(sql, &[offer_id.into(), driver_id.into(), tx.now().into()])?;
    let Some(order_id) = row.map(Row::first).transpose()? else { return Ok(false) };
    record_event(tx, order_id, "delivered", Some(driver_id), &json!({"offer_id": offer_id}))?;
    Ok(true)
}

/// Live offers whose time has run out, each with how it ends.
pub(super) fn overdue_offers(
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
pub(super) fn overdue_searches(tx: &mut Tx<'_>, limit: usize) -> Result<Vec<OrderId>, StorageError> {
    let sql = format!(
        "SELECT id FROM holodrive_order WHERE status = 'searching' AND search_until <= $1 ORDER BY search_until LIMIT $2 {}",
        tx.dialect().skip_locked()
    );
    tx.query(&sql, &[tx.now().into(), limit.into()])?.into_iter().map(Row::first).collect()
}

/// The live offers of a driver.
pub(super) fn live_offers_of(tx: &mut Tx<'_>, driver_id: UserId) -> Result<Vec<OfferId>, StorageError> {
    let sql = "SELECT id FROM holodrive_offer WHERE driver_id = $1 AND state = 'live' ORDER BY id";
    tx.query(sql, &[driver_id.into()])?.into_iter().map(Row::first).collect()
}

/// Order and offer change together; a half of it alone means that the invariants do not hold, and undoes the rest.
fn must_change(changed: usize) -> Result<(), StorageError> {
    if changed == 1 { Ok(()) } else { Err(StorageError::Constraint("an order and its offer disagree".to_owned())) }
}
