//! Offers: made by the dispatcher or by staff, and delivered.

use std::sync::Arc;

use holodrive_protocol::{OfferId, OrderId, OrderStatus, UserId, order::Considered};

use super::{
    driver_store,
    endings::Withdrawal,
    error::OrderError,
    events::DriverEventKind,
    record::{LiveOffer, OrderRecord},
    service::{Orders, later, load_order},
    store, texts,
    transitions::{self, Ask, NewOffer, OfferEnd, Revocation},
};
use crate::{
    dispatch::{Change, Match, Needs, OfferTimes},
    storage::{StorageError, Tx},
    telemetry::Metrics,
};

/// What came of the dispatcher's wish to make an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offering {
    /// It is live.
    Made,
    /// The order or the driver got something else to do meanwhile.
    NotFree,
    /// The user is no driver any more.
    NotADriver,
}

impl Orders {
    /// Offers an order to the driver whom the dispatcher found, if both are still free.
    pub(super) fn offer(self: &Arc<Self>, tx: &mut Tx<'_>, found: &Match) -> Result<Offering, OrderError> {
        if !self.accounts.is_active_driver(tx, found.driver_id)? {
            return Ok(Offering::NotADriver);
        }
        let Some(order) = store::find(tx, found.order_id)? else { return Ok(Offering::NotFree) };
        let free = suits(tx, found, &order)? && self.is_free(tx, found)?;
        let made = free && self.make_offer(tx, found, order, Ask::AsOneOf(self.rules.strategy.offers_per_order()))?;
        Ok(if made { Offering::Made } else { Offering::NotFree })
    }

    /// Whether the driver may be offered something, and this order again if he had it before.
    fn is_free(&self, tx: &mut Tx<'_>, found: &Match) -> Result<bool, StorageError> {
        let standing = driver_store::standing(tx, found.driver_id, found.order_id)?;
        let asked_again_at = standing.had_it_at.map(|at| later(at, self.config.order_reoffer_after));
        Ok(!standing.is_offline
            && !standing.has_trip
            && !standing.gave_it_back
            && asked_again_at.is_none_or(|at| at <= tx.now())
            && standing.live_offers < i64::from(self.config.order_offers_per_driver))
    }

    /// Staff offers the order to a driver now, whatever radius, staleness, cool-down, the limit of offers, the time of the
    /// pickup and the vehicle say.
    ///
    /// # Errors
    /// [`OrderError::InvalidTransition`] when the order is taken or over, [`OrderError::DriverBusy`],
    /// [`OrderError::NotADriver`], [`OrderError::OwnOrder`], [`OrderError::NotFound`].
    pub fn assign(
        self: &Arc<Self>,
        tx: &mut Tx<'_>,
        order_id: OrderId,
        driver_id: UserId,
        actor_id: Option<UserId>,
    ) -> Result<OrderRecord, OrderError> {
        let order = load_order(tx, order_id)?;
        require_untaken(&order)?;
        if !self.accounts.is_active_driver(tx, driver_id)? {
            return Err(OrderError::NotADriver);
        }
        if order.rider_id == driver_id {
            return Err(OrderError::OwnOrder);
        }
        if store::trip_of(tx, driver_id)?.is_some() {
            return Err(OrderError::DriverBusy);
        }
        let now = tx.now();
        let his = order.offer_to(driver_id).filter(|offer| offer.expires_at > now);
        for other in order.offers.iter().filter(|offer| Some(**offer) != his) {
            let overdue = other.expires_at <= now;
            let end = if overdue { OfferEnd::Expired } else { OfferEnd::Revoked(Revocation::Reassigned) };
            let withdrawal = Withdrawal { end, actor_id, declined_by: None, message: texts::order_timeout };
            self.withdraw(tx, other.id, withdrawal)?;
        }
        // Whom staff have chosen is asked alone, also where orders are broadcast.
        self.change_board(tx, Change::StopSearch(order_id));
        if let Some(his) = his {
            transitions::make_exclusive(tx, his.id)?;
        } else {
            let distance_km = self.board.driver_at(driver_id).map(|at| at.distance_km(order.from));
            let chosen = Match { order_id, driver_id, distance_km, considered: Vec::new() };
            self.make_offer(tx, &chosen, OrderRecord { offers: Vec::new(), ..order }, Ask::Alone { actor_id })?;
        }
        load_order(tx, order_id)
    }

    /// Who comes into question for an order that nobody has, and why somebody is not asked.
    ///
    /// # Errors
    /// [`OrderError::InvalidTransition`] when the order is taken or over, [`OrderError::NotFound`].
    pub(super) fn candidates(&self, tx: &mut Tx<'_>, order_id: OrderId) -> Result<Vec<Considered>, OrderError> {
        let order = load_order(tx, order_id)?;
        require_untaken(&order)?;
        let (waiting, now) = (self.waiting(tx, &order)?, tx.now());
        Ok(order.without_rider(self.board.look(|board| board.candidates(waiting, now))))
    }

    fn make_offer(
        self: &Arc<Self>,
        tx: &mut Tx<'_>,
        found: &Match,
        order: OrderRecord,
        ask: Ask,
    ) -> Result<bool, OrderError> {
        let considered = order.without_rider(found.considered.clone());
        let is_here = self.driver_hub.has_subscribers(&found.driver_id);
        let new = NewOffer {
            order_id: found.order_id,
            driver_id: found.driver_id,
            distance_km: found.distance_km,
            expires_at: later(tx.now(), self.config.order_offer_timeout),
            unreachable_at: self.config.order_offer_unreachable_timeout.map(|timeout| later(tx.now(), timeout)),
            push_at: self.push_at(tx, is_here),
            connected: is_here || self.elsewhere.is_connected(found.driver_id),
            ask,
            considered: &considered,
        };
        let Some((offer_id, seq)) = transitions::offer(tx, &new)? else { return Ok(false) };
        tx.after_commit(|| crate::failpoint::pass("orders.offer_committed"));
        let live = LiveOffer {
            id: offer_id,
            driver_id: found.driver_id,
            expires_at: new.expires_at,
            unreachable_at: new.unreachable_at,
            delivered_at: None,
            is_exclusive: ask.is_exclusive(),
        };
        let order = OrderRecord { status: OrderStatus::Pending, offers: [order.offers, vec![live]].concat(), ..order };
        let times = times(order.id, &live);
        self.change_board(tx, Change::OfferMade(offer_id, times));
        let offered =
            DriverEventKind::Offered { offer_id, order: Box::new(self.view(&order.seen_by(found.driver_id))) };
        self.tell_driver(tx, found.driver_id, seq, offered);
        self.tell_rider(tx, &order, seq);
        self.wake_pusher(tx, new.push_at);
        self.count(tx, Metrics::offer_created);
        crate::failpoint::pass("orders.offer_made");
        Ok(true)
    }

    /// The device has the offer.
    pub(super) fn deliver(
        self: &Arc<Self>,
        tx: &mut Tx<'_>,
        offer_id: OfferId,
        driver_id: UserId,
    ) -> Result<(), StorageError> {
        if transitions::deliver(tx, offer_id, driver_id)? {
            self.change_board(tx, Change::OfferDelivered(offer_id));
        } else {
            // It came too late to count, but shows that he is there.
            let now = tx.now();
            self.change_board(tx, Change::DriverSeen(driver_id, now));
        }
        Ok(())
    }
}

/// Whether it is time for this order, it is not the driver's own, no other node has offered it to him, and he has what it
/// asks for.
fn suits(tx: &mut Tx<'_>, found: &Match, order: &OrderRecord) -> Result<bool, StorageError> {
    if order.search_from > tx.now() || order.rider_id == found.driver_id || order.offer_to(found.driver_id).is_some() {
        return Ok(false);
    }
    let asks_nothing = order.needs == Needs::default();
    let vehicle = if asks_nothing { None } else { driver_store::vehicle_of(tx, found.driver_id)? };
    Ok(order.needs.unmet_by(vehicle.as_ref()).is_none())
}

fn require_untaken(order: &OrderRecord) -> Result<(), OrderError> {
    if matches!(order.status, OrderStatus::Searching | OrderStatus::Pending) {
        return Ok(());
    }
    let detail = format!("the order is {}: only one that nobody has can be offered", order.status.as_str());
    Err(OrderError::InvalidTransition(detail))
}

/// An offer's people and times, for the board.
pub(super) fn times(order_id: OrderId, offer: &LiveOffer) -> OfferTimes {
    let LiveOffer { driver_id, expires_at, .. } = *offer;
    OfferTimes { order_id, driver_id, expires_at, unreachable_at: offer.withdrawn_at() }
}
