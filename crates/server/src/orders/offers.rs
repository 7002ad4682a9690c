//! Offers: made, accepted, declined, run out, taken back.

use std::{sync::Arc, time::Duration};

use holodrive_protocol::{
    OfferId, OrderId, OrderStatus, Timestamp, UserId, driver::DriverServerMessage, socket::OfferExpiredReason,
};

use super::{
    error::OrderError,
    events::DriverEventKind,
    record::{LiveOffer, OrderRecord},
    service::{Orders, later},
    store, texts,
    texts::RiderNotice,
    transitions::{self, EndedOffer, NewOffer, OfferEnd, Revocation},
};
use crate::{
    accounts::User,
    dispatch::{Match, OfferTimes},
    gateway::ConnectionId,
    storage::{StorageError, Tx},
    telemetry::OfferOutcome,
};

/// Overdue offers and searches that one transaction ends.
const SWEEP: i64 = 500;

impl Orders {
    /// Offers an order to the driver whom the dispatcher found. `false` when the order or the driver is not free any
    /// more.
    pub(crate) fn offer(self: &Arc<Self>, tx: &mut Tx<'_>, found: &Match) -> Result<bool, OrderError> {
        let free = store::trip_of(tx, found.driver_id)?.is_none()
            && store::live_offers(tx, found.driver_id)? < i64::from(self.config.order_offers_per_driver)
            && self.accounts.is_active_driver(tx, found.driver_id)?;
        if !free {
            return Ok(false);
        }
        self.make_offer(tx, found, None)
    }

    /// Staff offers the order to a driver now, whatever radius, staleness, cool-down and the limit of offers say.
    ///
    /// # Errors
    /// [`OrderError::InvalidTransition`] when the order is taken or over, [`OrderError::DriverBusy`],
    /// [`OrderError::NotADriver`], [`OrderError::NotFound`].
    pub fn assign(
        self: &Arc<Self>,
        tx: &mut Tx<'_>,
        order_id: OrderId,
        driver_id: UserId,
        actor_id: Option<UserId>,
    ) -> Result<OrderRecord, OrderError> {
        let order = self.load_order(tx, order_id)?;
        if !matches!(order.status, OrderStatus::Searching | OrderStatus::Pending) {
            let detail = format!("the order is {}: only one that nobody has can be assigned", order.status.as_str());
            return Err(OrderError::InvalidTransition(detail));
        }
        if !self.accounts.is_active_driver(tx, driver_id)? {
            return Err(OrderError::NotADriver);
        }
        if store::trip_of(tx, driver_id)?.is_some() {
            return Err(OrderError::DriverBusy);
        }
        match order.offer {
            Some(offer) if offer.driver_id == driver_id => return Ok(order),
            Some(offer) => {
                let end = OfferEnd::Revoked(Revocation::Reassigned);
                let withdrawal = Withdrawal { end, actor_id, declined_by: None, message: texts::order_timeout };
                self.withdraw(tx, offer.id, withdrawal)?;
            }
            None => {}
        }
        let distance_km = self.driver_at(driver_id).map(|at| at.distance_km(order.from));
        self.make_offer(tx, &Match { order_id, driver_id, distance_km }, actor_id)?;
        self.load_order(tx, order_id)
    }

    fn make_offer(
        self: &Arc<Self>,
        tx: &mut Tx<'_>,
        found: &Match,
        actor_id: Option<UserId>,
    ) -> Result<bool, OrderError> {
        let new = NewOffer {
            order_id: found.order_id,
            driver_id: found.driver_id,
            distance_km: found.distance_km,
            expires_at: later(tx.now(), self.config.order_offer_timeout),
            unreachable_at: self.config.order_offer_unreachable_timeout.map(|timeout| later(tx.now(), timeout)),
            actor_id,
        };
        let Some((offer_id, seq)) = transitions::offer(tx, &new)? else { return Ok(false) };
        let order = self.load_order(tx, found.order_id)?;
        let live = LiveOffer { id: offer_id, driver_id: found.driver_id, expires_at: new.expires_at };
        let times = times(order.id, &live, new.unreachable_at);
        self.change_board(tx, move |board| board.offer_made(offer_id, times));
        let offered = DriverEventKind::Offered { offer_id, order: Box::new(self.view(&order)) };
        self.tell_driver(tx, found.driver_id, seq, offered);
        self.tell_rider(tx, &order, seq);
        self.metrics.offer_created();
        Ok(true)
    }

    /// A driver takes an order. Taking again what he won gives the same answer again.
    ///
    /// # Errors
    /// [`OrderError::OfferExpired`] with the reason, [`OrderError::DriverBusy`].
    pub(super) fn accept(
        self: &Arc<Self>,
        tx: &mut Tx<'_>,
        order_id: OrderId,
        driver: &User,
        by: Option<ConnectionId>,
    ) -> Result<Accepted, OrderError> {
        let trip = store::trip_of(tx, driver.id)?;
        if let Some(trip) = trip {
            return match self.live_offer(tx, order_id, driver.id)? {
                _ if trip.id == order_id => Ok(Accepted::Before(trip)),
                Some(_) => Err(OrderError::DriverBusy),
                None => Err(OrderError::OfferExpired(self.why_not(tx, order_id, driver.id)?)),
            };
        }
        let Some((offer_id, seq)) = transitions::accept(tx, order_id, driver.id)? else {
            return self.accepted_before(tx, order_id, driver.id);
        };
        let order = self.load_order(tx, order_id)?;
        let conversation = self.chat.open_order_conversation(tx, order_id, order.rider_id, driver.id)?;
        store::set_conversation(tx, order_id, conversation)?;
        let order = OrderRecord { conversation_id: Some(conversation), ..order };
        let driver_id = driver.id;
        self.change_board(tx, move |board| {
            board.offer_ended(offer_id);
            board.trip_started(driver_id, order_id);
        });
        self.metrics.offer_ended(OfferOutcome::Accepted);
        let view = Box::new(self.view(&order));
        self.tell_driver(tx, driver.id, seq, DriverEventKind::Accepted { offer_id, order: view, by });
        self.notify_rider(tx, &order, RiderNotice::Accepted, seq)?;
        for other in transitions::live_offers_of(tx, driver.id)? {
            self.end_offer(tx, other, OfferEnd::Revoked(Revocation::Busy), None)?;
        }
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
        match self.live_offer(tx, order_id, driver_id)? {
            Some(offer) => self.end_offer(tx, offer.id, OfferEnd::Declined, by)?,
            None => return Err(OrderError::OfferExpired(self.why_not(tx, order_id, driver_id)?)),
        }
        self.load_order(tx, order_id)
    }

    /// Ends everything that has run out, as much as fits into one transaction; tells whether there may be more.
    pub(crate) fn sweep(self: &Arc<Self>, tx: &mut Tx<'_>) -> Result<bool, OrderError> {
        let offers = transitions::overdue_offers(tx, None, SWEEP)?;
        let full = |found: usize| i64::try_from(found).unwrap_or(i64::MAX) >= SWEEP;
        let mut more = full(offers.len());
        for (offer_id, end) in offers {
            self.end_offer(tx, offer_id, end, None)?;
        }
        // After the offers: the search of one that has just ended may be over as well.
        let searches = transitions::overdue_searches(tx, SWEEP)?;
        more |= full(searches.len());
        for order_id in searches {
            self.give_up(tx, order_id)?;
        }
        Ok(more)
    }

    /// Ends the overdue offers of one driver, there and then.
    pub(super) fn sweep_driver(self: &Arc<Self>, tx: &mut Tx<'_>, driver_id: UserId) -> Result<(), OrderError> {
        for (offer_id, end) in transitions::overdue_offers(tx, Some(driver_id), SWEEP)? {
            self.end_offer(tx, offer_id, end, None)?;
        }
        Ok(())
    }

    /// Ends a live offer; its driver and the rider are told, and the order searches again.
    pub(super) fn end_offer(
        self: &Arc<Self>,
        tx: &mut Tx<'_>,
        offer_id: OfferId,
        end: OfferEnd,
        declined_by: Option<ConnectionId>,
    ) -> Result<(), OrderError> {
        let actor_id = None;
        let withdrawal = Withdrawal { end, actor_id, declined_by, message: texts::order_timeout };
        let Some(ended) = self.withdraw(tx, offer_id, withdrawal)? else { return Ok(()) };
        let order = self.load_order(tx, ended.order_id)?;
        self.tell_rider(tx, &order, ended.event);
        self.search(tx, &order)?;
        Ok(())
    }

    /// Ends a live offer and tells its driver. What comes next is up to the caller.
    pub(super) fn withdraw(
        self: &Arc<Self>,
        tx: &mut Tx<'_>,
        offer_id: OfferId,
        withdrawal: Withdrawal,
    ) -> Result<Option<EndedOffer>, OrderError> {
        let Withdrawal { end, actor_id, declined_by, message } = withdrawal;
        let Some(ended) = transitions::end_offer(tx, offer_id, end, actor_id)? else { return Ok(None) };
        self.change_board(tx, move |board| board.offer_ended(offer_id));
        self.metrics.offer_ended(outcome(end));
        if end == OfferEnd::Expired {
            let late = tx.now().as_micros().saturating_sub(ended.expires_at.as_micros());
            self.metrics.deadline_met(Duration::from_micros(late.max(0).unsigned_abs()));
        }
        let (order_id, message) = (ended.order_id, message(ended.order_id));
        let kind = DriverEventKind::Ended { offer_id, order_id, message, declined_by };
        self.tell_driver(tx, ended.driver_id, ended.event, kind);
        Ok(Some(ended))
    }

    fn give_up(self: &Arc<Self>, tx: &mut Tx<'_>, order_id: OrderId) -> Result<(), OrderError> {
        let Some(seq) = transitions::give_up(tx, order_id)? else { return Ok(()) };
        self.change_board(tx, move |board| board.stop_search(order_id));
        let order = self.load_order(tx, order_id)?;
        self.notify_rider(tx, &order, RiderNotice::NoDriver, seq)?;
        Ok(())
    }

    /// The device has the offer.
    pub(super) fn deliver(
        self: &Arc<Self>,
        tx: &mut Tx<'_>,
        offer_id: OfferId,
        driver_id: UserId,
    ) -> Result<(), StorageError> {
        if transitions::deliver(tx, offer_id, driver_id)? {
            self.change_board(tx, move |board| board.offer_delivered(offer_id));
        }
        Ok(())
    }

    fn accepted_before(&self, tx: &mut Tx<'_>, order_id: OrderId, driver_id: UserId) -> Result<Accepted, OrderError> {
        match store::find(tx, order_id)? {
            Some(order) if order.driver_id == Some(driver_id) && order.status != OrderStatus::Cancelled => {
                Ok(Accepted::Before(order))
            }
            _ => Err(OrderError::OfferExpired(self.why_not(tx, order_id, driver_id)?)),
        }
    }

    /// The live offer of an order, if it is this driver's.
    #[expect(clippy::unused_self, reason = "reads as a question to the orders")]
    fn live_offer(
        &self,
        tx: &mut Tx<'_>,
        order_id: OrderId,
        driver_id: UserId,
    ) -> Result<Option<LiveOffer>, StorageError> {
        let order = store::find(tx, order_id)?;
        Ok(order.and_then(|order| order.offer).filter(|offer| offer.driver_id == driver_id))
    }

    /// Why a driver cannot accept or decline an order.
    #[expect(clippy::unused_self, reason = "reads as a question to the orders")]
    fn why_not(
        &self,
        tx: &mut Tx<'_>,
        order_id: OrderId,
        driver_id: UserId,
    ) -> Result<OfferExpiredReason, StorageError> {
        let Some((_, reason)) = store::last_offer(tx, order_id, driver_id)? else {
            return Ok(OfferExpiredReason::NotOffered);
        };
        let order = store::find(tx, order_id)?;
        let taken = order.as_ref().is_some_and(|order| order.driver_id.is_some_and(|other| other != driver_id));
        Ok(match order.map(|order| order.status) {
            Some(OrderStatus::Cancelled) => OfferExpiredReason::Cancelled,
            _ if taken => OfferExpiredReason::Taken,
            _ if reason.as_deref() == Some("reassigned") => OfferExpiredReason::Reassigned,
            _ => OfferExpiredReason::Expired,
        })
    }
}

/// How an offer is ended, and what its driver hears.
pub(super) struct Withdrawal {
    pub(super) end: OfferEnd,
    /// Who ended it; `None` for the system.
    pub(super) actor_id: Option<UserId>,
    /// The connection that declined it.
    pub(super) declined_by: Option<ConnectionId>,
    pub(super) message: fn(OrderId) -> DriverServerMessage,
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

/// An offer's people and times, for the board.
pub(super) fn times(order_id: OrderId, offer: &LiveOffer, unreachable_at: Option<Timestamp>) -> OfferTimes {
    OfferTimes { order_id, driver_id: offer.driver_id, expires_at: offer.expires_at, unreachable_at }
}

const fn outcome(end: OfferEnd) -> OfferOutcome {
    match end {
        OfferEnd::Declined => OfferOutcome::Declined,
        OfferEnd::Expired => OfferOutcome::Expired,
        OfferEnd::Revoked(Revocation::Unreachable) => OfferOutcome::Unreachable,
        OfferEnd::Revoked(Revocation::Reassigned) => OfferOutcome::Reassigned,
        OfferEnd::Revoked(Revocation::Cancelled) => OfferOutcome::Cancelled,
        OfferEnd::Revoked(Revocation::Busy) => OfferOutcome::Busy,
    }
}
