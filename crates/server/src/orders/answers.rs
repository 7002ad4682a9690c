//! A driver's answer to an offer.

use std::sync::Arc;

use holodrive_protocol::{OrderId, OrderStatus, UserId, socket::OfferExpiredReason};

use super::{
    endings::Withdrawal,
    error::OrderError,
    events::DriverEventKind,
    pins::Pin,
    record::OrderRecord,
    service::{Orders, load_order},
    store,
    texts::{self, RiderNotice},
    transitions::{self, OfferEnd, Revocation},
};
use crate::{
    accounts::User,
    dispatch::Change,
    gateway::ConnectionId,
    storage::{StorageError, Tx},
    telemetry::OfferOutcome,
};

impl Orders {
    /// A driver takes an order. Taking again what he won gives the same answer again.
    ///
    /// # Errors
    /// [`OrderError::OfferExpired`] with the reason.
    pub(super) fn accept(
        self: &Arc<Self>,
        tx: &mut Tx<'_>,
        order_id: OrderId,
        driver: &User,
        by: Option<ConnectionId>,
    ) -> Result<Accepted, OrderError> {
        let Some(offer_id) = transitions::take_offer(tx, order_id, driver.id)? else {
            return accepted_before(tx, order_id, driver.id);
        };
        tx.after_commit(|| crate::failpoint::pass("orders.accept_committed"));
        let before = load_order(tx, order_id)?;
        let pin = self.config.order_start_pin.then(Pin::random);
        let conversation_id =
            self.chat.open_order_conversation(tx, before.conversation_id, order_id, before.rider_id, driver.id)?;
        let seq = transitions::accept(tx, order_id, offer_id, driver.id, pin.as_ref(), conversation_id)?;
        let order = OrderRecord {
            status: OrderStatus::Accepted,
            driver_id: Some(driver.id),
            pin,
            conversation_id: Some(conversation_id),
            offers: Vec::new(),
            ..before
        };
        // The dispatcher may look in between: his place must not be free before it is known that he has a trip.
        self.change_board(tx, Change::TripStarted(driver.id, order_id));
        self.change_board(tx, Change::OfferEnded(offer_id));
        self.count(tx, |metrics| metrics.offer_ended(OfferOutcome::Accepted));
        let view = Box::new(self.view(&order));
        self.tell_driver(tx, driver.id, seq, DriverEventKind::Accepted { offer_id, order: view, by });
        self.notify_rider(tx, &order, RiderNotice::Accepted, seq)?;
        for other in before.offers {
            let end = OfferEnd::Revoked(Revocation::Taken);
            let withdrawal = Withdrawal { end, actor_id: None, declined_by: None, message: texts::order_timeout };
            self.withdraw(tx, other.id, withdrawal)?;
        }
        for other in transitions::live_offers_of(tx, driver.id)? {
            self.end_offer(tx, other, OfferEnd::Revoked(Revocation::Busy), None)?;
        }
        crate::failpoint::pass("orders.accepted");
        Ok(Accepted::Now(order))
    }

    /// A driver refuses an order.
    ///
    /// # Errors
    /// [`OrderError::OfferExpired`] with the reason.
    pub(super) fn decline(
        self: &Arc<Self>,
        tx: &mut Tx<'_>,
        order_id: OrderId,
        driver_id: UserId,
        by: Option<ConnectionId>,
    ) -> Result<OrderRecord, OrderError> {
        let order = store::find(tx, order_id)?;
        let now = tx.now();
        let offer = order.and_then(|order| order.offer_to(driver_id));
        match offer.filter(|offer| offer.expires_at > now) {
            Some(offer) => self.end_offer(tx, offer.id, OfferEnd::Declined, by)?,
            None => return Err(OrderError::OfferExpired(why_not(tx, order_id, driver_id)?)),
        }
        Ok(load_order(tx, order_id)?.seen_by(driver_id))
    }
}

fn accepted_before(tx: &mut Tx<'_>, order_id: OrderId, driver_id: UserId) -> Result<Accepted, OrderError> {
    match store::find(tx, order_id)? {
        Some(order) if order.driver_id == Some(driver_id) && order.status != OrderStatus::Cancelled => {
            Ok(Accepted::Before(order))
        }
        _ => Err(OrderError::OfferExpired(why_not(tx, order_id, driver_id)?)),
    }
}

/// Why a driver cannot accept or decline an order.
fn why_not(tx: &mut Tx<'_>, order_id: OrderId, driver_id: UserId) -> Result<OfferExpiredReason, StorageError> {
    let Some((_, reason)) = store::last_offer(tx, order_id, driver_id)? else {
        return Ok(OfferExpiredReason::NotOffered);
    };
    let order = store::find(tx, order_id)?;
    let taken = order.as_ref().is_some_and(|order| order.driver_id.is_some_and(|other| other != driver_id));
    Ok(match order.map(|order| order.status) {
        Some(OrderStatus::Cancelled) => OfferExpiredReason::Cancelled,
        _ if taken || reason.as_deref() == Some("taken") => OfferExpiredReason::Taken,
        _ if reason.as_deref() == Some("reassigned") => OfferExpiredReason::Reassigned,
        _ => OfferExpiredReason::Expired,
    })
}

/// The answer to a driver who accepts.
pub(super) enum Accepted {
    /// He has it from now on.
    Now(OrderRecord),
    /// He had it already.
    Before(OrderRecord),
}

impl Accepted {
    pub(super) fn into_order(self) -> OrderRecord {
        match self {
            Self::Now(order) | Self::Before(order) => order,
        }
    }
}
