//! Offers: made, delivered, accepted, ended.

use std::collections::HashSet;

use holodrive_protocol::{ConversationId, OfferId, OrderId, Timestamp, UserId, order::Considered};
use serde_json::json;

use super::{
    super::{pins::Pin, store::record_event},
    CONSIDERED, disagreement,
    table::{ACCEPT, DECLINE, EXPIRE, OFFER, OFFER_TO_ONE_MORE, REVOKE, Transition},
};
use crate::storage::{Row, StorageError, Tx};

/// Why an offer was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::orders) enum Revocation {
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
    pub(super) const fn as_str(self) -> &'static str {
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
pub(in crate::orders) enum OfferEnd {
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

    const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Revoked(reason) => Some(reason.as_str()),
            Self::Declined | Self::Expired => None,
        }
    }

    const fn transition(self) -> &'static Transition {
        match self {
            Self::Declined => &DECLINE,
            Self::Expired => &EXPIRE,
            Self::Revoked(_) => &REVOKE,
        }
    }
}

/// A new offer.
pub(in crate::orders) struct NewOffer<'n> {
    pub(in crate::orders) order_id: OrderId,
    pub(in crate::orders) driver_id: UserId,
    pub(in crate::orders) distance_km: Option<f64>,
    pub(in crate::orders) expires_at: Timestamp,
    pub(in crate::orders) unreachable_at: Option<Timestamp>,
    /// When the driver is to be told by push.
    pub(in crate::orders) push_at: Option<Timestamp>,
    /// Whether others may have one at the same time.
    pub(in crate::orders) ask: Ask,
    /// Who came into question.
    pub(in crate::orders) considered: &'n [Considered],
    /// Whether he has a socket open that will be handed the offer.
    pub(in crate::orders) connected: bool,
}

/// Who asks a driver, and beside whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::orders) enum Ask {
    /// The dispatcher; the order may have so many live offers with this one.
    AsOneOf(usize),
    /// Staff or a back end assign it: nobody else is asked as long as the offer lives.
    Alone { actor_id: Option<UserId> },
}

impl Ask {
    /// Whether nobody else is asked as long as the offer lives.
    pub(in crate::orders) const fn is_exclusive(self) -> bool {
        matches!(self, Self::Alone { .. })
    }

    const fn offers_per_order(self) -> usize {
        match self {
            Self::AsOneOf(offers) => offers,
            Self::Alone { .. } => 1,
        }
    }
}

/// A live offer. `None` when the order has as many as it may have, or does not search.
pub(in crate::orders) fn offer(tx: &mut Tx<'_>, new: &NewOffer<'_>) -> Result<Option<(OfferId, i64)>, StorageError> {
    let Some(slot) = free_slot(tx, new)? else { return Ok(None) };
    let transition = if new.ask.offers_per_order() > 1 { OFFER_TO_ONE_MORE } else { OFFER };
    if !transition.take(tx, new.order_id, &[])? {
        return Ok(None);
    }
    let sql = "INSERT INTO holodrive_offer \
        (order_id, driver_id, state, distance_km, created_at, expires_at, unreachable_at, slot, push_at, exclusive) \
        VALUES ($1, $2, 'live', $3, $4, $5, $6, $7, $8, $9)";
    let params = [
        new.order_id.into(),
        new.driver_id.into(),
        new.distance_km.into(),
        tx.now().into(),
        new.expires_at.into(),
        new.unreachable_at.into(),
        slot.into(),
        new.push_at.into(),
        new.ask.is_exclusive().into(),
    ];
    let offer_id = tx.insert(sql, &params)?;
    let mut details = json!({
        "driver_id": new.driver_id, "offer_id": offer_id,
        "distance_to_pickup_km": new.distance_km, "expires_at": new.expires_at, "connected": new.connected,
    });
    let actor_id = match new.ask {
        Ask::AsOneOf(_) => {
            details[CONSIDERED] = json!(new.considered);
            None
        }
        Ask::Alone { actor_id } => actor_id,
    };
    let event = transition.record(tx, new.order_id, actor_id, &details)?;
    Ok(Some((offer_id, event)))
}

/// A place among the live offers of the order. An order that may have one has it where the order searches.
fn free_slot(tx: &mut Tx<'_>, new: &NewOffer<'_>) -> Result<Option<usize>, StorageError> {
    let offers_per_order = new.ask.offers_per_order();
    if offers_per_order == 1 {
        return Ok(Some(0));
    }
    let sql = "SELECT slot FROM holodrive_offer WHERE order_id = $1 AND state = 'live'";
    let rows = tx.query(sql, &[new.order_id.into()])?;
    let taken = rows.into_iter().map(Row::first::<i64>).collect::<Result<HashSet<_>, _>>()?;
    Ok((0..offers_per_order).find(|slot| i64::try_from(*slot).is_ok_and(|slot| !taken.contains(&slot))))
}

/// Nobody else is asked as long as this offer lives.
pub(in crate::orders) fn make_exclusive(tx: &mut Tx<'_>, offer_id: OfferId) -> Result<(), StorageError> {
    tx.execute("UPDATE holodrive_offer SET exclusive = TRUE WHERE id = $1", &[offer_id.into()]).map(drop)
}

/// The driver who has the live offer takes it, before its deadline; [`accept`] is the other half. `None` when he has none.
pub(in crate::orders) fn take_offer(
    tx: &mut Tx<'_>,
    order_id: OrderId,
    driver_id: UserId,
) -> Result<Option<OfferId>, StorageError> {
    let sql = "UPDATE holodrive_offer SET state = 'accepted', ended_at = $3, push_at = NULL, \
        delivered_at = COALESCE(delivered_at, $3) \
        WHERE order_id = $1 AND driver_id = $2 AND state = 'live' AND expires_at > $3 RETURNING id";
    let params = [order_id.into(), driver_id.into(), tx.now().into()];
    tx.query_one(sql, &params)?.map(Row::first).transpose()
}

/// The order is the driver's whose offer was taken; gives the entry of the history.
pub(in crate::orders) fn accept(
    tx: &mut Tx<'_>,
    order_id: OrderId,
    offer_id: OfferId,
    driver_id: UserId,
    pin: Option<&Pin>,
    conversation_id: ConversationId,
) -> Result<i64, StorageError> {
    let params = [driver_id.into(), pin.map(Pin::digits).into(), conversation_id.into()];
    let event = ACCEPT.apply(tx, order_id, &params, Some(driver_id), &json!({"offer_id": offer_id}))?;
    event.ok_or_else(disagreement)
}

/// Ends a live offer; with the last one the order searches again. `None` when it is not live any more.
pub(in crate::orders) fn end_offer(
    tx: &mut Tx<'_>,
    offer_id: OfferId,
    end: OfferEnd,
    actor_id: Option<UserId>,
) -> Result<Option<EndedOffer>, StorageError> {
    // A phone that was told of it and never showed up is told that it is over, unless its owner said so himself.
    let sql = "UPDATE holodrive_offer SET state = $2, reason = $3, ended_at = $4, \
        push_at = CASE WHEN pushed_at IS NOT NULL AND delivered_at IS NULL THEN CAST($5 AS BIGINT) END \
        WHERE id = $1 AND state = 'live' RETURNING order_id, driver_id, expires_at";
    let push_at = (end != OfferEnd::Declined).then(|| tx.now());
    let params = [offer_id.into(), end.state().into(), end.reason().into(), tx.now().into(), push_at.into()];
    let Some(row) = tx.query_one(sql, &params)? else { return Ok(None) };
    let mut row = row.columns();
    let (order_id, driver_id, expires_at): (OrderId, UserId, Timestamp) = (row.take()?, row.take()?, row.take()?);
    // An order that somebody has taken stays where it is. Should the two disagree, which takes a hand in the database, ending
    // the offer mends it: nothing may keep an offer from ending.
    if end != OfferEnd::Revoked(Revocation::Taken) {
        end.transition().take(tx, order_id, &[])?;
    }
    let mut details = json!({"driver_id": driver_id, "offer_id": offer_id});
    if let Some(reason) = end.reason() {
        details["reason"] = reason.into();
    }
    let actor_id = if end == OfferEnd::Declined { Some(driver_id) } else { actor_id };
    let event = end.transition().record(tx, order_id, actor_id, &details)?;
    Ok(Some(EndedOffer { order_id, driver_id, expires_at, event }))
}

/// What a live offer was.
pub(in crate::orders) struct EndedOffer {
    pub(in crate::orders) order_id: OrderId,
    pub(in crate::orders) driver_id: UserId,
    pub(in crate::orders) expires_at: Timestamp,
    pub(in crate::orders) event: i64,
}

/// The driver's device has the offer. `false` when it is not live, or was delivered before.
pub(in crate::orders) fn deliver(tx: &mut Tx<'_>, offer_id: OfferId, driver_id: UserId) -> Result<bool, StorageError> {
    let sql = "UPDATE holodrive_offer SET delivered_at = $3, push_at = NULL \
        WHERE id = $1 AND driver_id = $2 AND state = 'live' AND delivered_at IS NULL RETURNING order_id";
    let row = tx.query_one(sql, &[offer_id.into(), driver_id.into(), tx.now().into()])?;
    let Some(order_id) = row.map(Row::first).transpose()? else { return Ok(false) };
    record_event(tx, order_id, "delivered", Some(driver_id), &json!({"offer_id": offer_id}))?;
    Ok(true)
}
