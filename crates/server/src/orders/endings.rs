//! Offers and searches that end without a driver taking the order.

use std::{sync::Arc, time::Duration};

use holodrive_protocol::{OfferId, OrderId, OrderStatus, UserId, driver::DriverServerMessage};

use super::{
    error::OrderError,
    events::DriverEventKind,
    record::OrderRecord,
    service::{Orders, load_order},
    texts::{self, RiderNotice},
    transitions::{self, EndedOffer, OfferEnd, Revocation},
};
use crate::{dispatch::Change, gateway::ConnectionId, storage::Tx, telemetry::OfferOutcome};

/// Overdue offers, and overdue searches, that one transaction ends.
pub(super) const SWEEP: usize = 500;

impl Orders {
    /// Ends everything that has run out, as much as fits into one transaction; tells how much that was. When it was
    /// [`SWEEP`] or more, there may be more.
    pub(super) fn sweep(self: &Arc<Self>, tx: &mut Tx<'_>) -> Result<usize, OrderError> {
        let offers = transitions::overdue_offers(tx, None, SWEEP)?;
        let mut ended = offers.len();
        for (offer_id, end) in offers {
            tx.after_commit(|| crate::failpoint::pass("orders.sweep_committed"));
            self.end_offer(tx, offer_id, end, None)?;
            crate::failpoint::pass("orders.swept");
        }
        for order_id in transitions::overdue_searches(tx, SWEEP)? {
            ended += usize::from(self.give_up(tx, order_id)?);
        }
        Ok(ended)
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
        let order = load_order(tx, ended.order_id)?;
        self.tell_rider(tx, &order, ended.event);
        if self.wants_drivers(&order) {
            self.search(tx, &order)?;
        }
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
        // The dispatcher may look in between: his place must not be free before it is known that he cannot be reached.
        if end == OfferEnd::Revoked(Revocation::Unreachable) {
            self.change_board(tx, Change::DriverUnreachable(ended.driver_id));
        }
        self.change_board(tx, Change::OfferEnded(offer_id));
        self.count(tx, move |metrics| metrics.offer_ended(outcome(end)));
        if end == OfferEnd::Expired {
            let late = tx.now().as_micros().saturating_sub(ended.expires_at.as_micros());
            self.count(tx, move |metrics| metrics.deadline_met(Duration::from_micros(late.max(0).unsigned_abs())));
        }
        let (order_id, message) = (ended.order_id, message(ended.order_id));
        let kind = DriverEventKind::Ended { offer_id, order_id, message, declined_by };
        self.tell_driver(tx, ended.driver_id, ended.event, kind);
        Ok(Some(ended))
    }

    fn give_up(self: &Arc<Self>, tx: &mut Tx<'_>, order_id: OrderId) -> Result<bool, OrderError> {
        let (order, now) = (load_order(tx, order_id)?, tx.now());
        let considered = order.without_rider(self.board.look(|board| board.considered(order_id, now)));
        let Some(seq) = transitions::give_up(tx, order_id, &considered)? else { return Ok(false) };
        self.change_board(tx, Change::StopSearch(order_id));
        let order = OrderRecord { status: OrderStatus::NoDriver, ..order };
        self.notify_rider(tx, &order, RiderNotice::NoDriver, seq)?;
        Ok(true)
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

const fn outcome(end: OfferEnd) -> OfferOutcome {
    match end {
        OfferEnd::Declined => OfferOutcome::Declined,
        OfferEnd::Expired => OfferOutcome::Expired,
        OfferEnd::Revoked(Revocation::Unreachable) => OfferOutcome::Unreachable,
        OfferEnd::Revoked(Revocation::Reassigned) => OfferOutcome::Reassigned,
        OfferEnd::Revoked(Revocation::Cancelled) => OfferOutcome::Cancelled,
        OfferEnd::Revoked(Revocation::Busy) => OfferOutcome::Busy,
        OfferEnd::Revoked(Revocation::Taken) => OfferOutcome::Taken,
    }
}
