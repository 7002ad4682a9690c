//! What happens to an order that a driver has, and the end of orders by people.

use std::sync::Arc;

use holodrive_protocol::{OrderId, UserId};

use super::{
    endings::Withdrawal,
    error::OrderError,
    events::DriverEventKind,
    record::OrderRecord,
    service::{Orders, later, load_order},
    texts::{self, RiderNotice},
    transitions::{self, OfferEnd, Revocation, TripStep},
};
use crate::{accounts::User, dispatch::Change, storage::Tx};

impl Orders {
    /// The driver arrives, starts or completes.
    ///
    /// # Errors
    /// [`OrderError::InvalidTransition`] when the order does not stand at the step before, [`OrderError::NotFound`] when it
    /// is not his.
    pub(super) fn step(
        self: &Arc<Self>,
        tx: &mut Tx<'_>,
        order_id: OrderId,
        driver_id: UserId,
        step: TripStep,
    ) -> Result<OrderRecord, OrderError> {
        own_order(tx, order_id, driver_id)?;
        let Some(seq) = transitions::step(tx, order_id, driver_id, step)? else {
            let (from, to) = step.statuses();
            let hint = format!("{} comes after {}", to.as_str(), from.as_str());
            return Err(wrong_state(tx, order_id, &hint)?);
        };
        if step == TripStep::Complete {
            self.end_trip(tx, driver_id);
        }
        let order = load_order(tx, order_id)?;
        let notice = match step {
            TripStep::Arrive => RiderNotice::Arrived,
            TripStep::Start => RiderNotice::Started,
            TripStep::Complete => RiderNotice::Completed,
        };
        self.notify_rider(tx, &order, notice, seq)?;
        Ok(order)
    }

    /// The driver gives an accepted order back: it searches again, and never comes back to him.
    ///
    /// # Errors
    /// As [`Orders::step`].
    pub(super) fn release(
        self: &Arc<Self>,
        tx: &mut Tx<'_>,
        order_id: OrderId,
        driver_id: UserId,
    ) -> Result<OrderRecord, OrderError> {
        let before = own_order(tx, order_id, driver_id)?;
        let search_until = later(tx.now(), self.config.order_search_timeout);
        let Some(seq) = transitions::release(tx, order_id, driver_id, search_until)? else {
            return Err(wrong_state(tx, order_id, "only an accepted order can be given back")?);
        };
        if let Some(conversation_id) = before.conversation_id {
            self.chat.remove_participant(tx, conversation_id, driver_id)?;
        }
        self.end_trip(tx, driver_id);
        let order = load_order(tx, order_id)?;
        self.notify_rider(tx, &order, RiderNotice::SearchingAgain, seq)?;
        self.search(tx, &order)?;
        Ok(order)
    }

    /// The rider or staff ends an order before the trip.
    ///
    /// # Errors
    /// [`OrderError::InvalidTransition`] once the rider is in the car or the order is over, [`OrderError::NotFound`] when it
    /// is not for this user.
    pub(super) fn cancel(
        self: &Arc<Self>,
        tx: &mut Tx<'_>,
        order_id: OrderId,
        user: &User,
    ) -> Result<OrderRecord, OrderError> {
        let order = load_order(tx, order_id)?;
        let by_rider = order.rider_id == user.id;
        if !by_rider && !user.is_staff {
            return Err(OrderError::NotFound);
        }
        let (by, message): (_, fn(OrderId) -> _) =
            if by_rider { ("rider", texts::cancelled_by_rider) } else { ("staff", texts::cancelled_by_staff) };
        for offer in &order.offers {
            let end = OfferEnd::Revoked(Revocation::Cancelled);
            let withdrawal = Withdrawal { end, actor_id: Some(user.id), declined_by: None, message };
            self.withdraw(tx, offer.id, withdrawal)?;
        }
        let Some(seq) = transitions::cancel(tx, order_id, user.id, by)? else {
            return Err(wrong_state(tx, order_id, "it is too late to cancel")?);
        };
        self.change_board(tx, Change::StopSearch(order_id));
        if let Some(driver_id) = order.driver_id {
            self.end_trip(tx, driver_id);
            self.tell_driver(tx, driver_id, seq, DriverEventKind::TripCancelled { message: message(order_id) });
        }
        let order = load_order(tx, order_id)?;
        self.notify_rider(tx, &order, RiderNotice::Cancelled, seq)?;
        Ok(order)
    }

    fn end_trip(self: &Arc<Self>, tx: &mut Tx<'_>, driver_id: UserId) {
        self.change_board(tx, Change::TripEnded(driver_id));
    }
}

fn own_order(tx: &mut Tx<'_>, order_id: OrderId, driver_id: UserId) -> Result<OrderRecord, OrderError> {
    let order = load_order(tx, order_id)?;
    if order.driver_id == Some(driver_id) { Ok(order) } else { Err(OrderError::NotFound) }
}

fn wrong_state(tx: &mut Tx<'_>, order_id: OrderId, hint: &str) -> Result<OrderError, OrderError> {
    let order = load_order(tx, order_id)?;
    Ok(OrderError::InvalidTransition(format!("the order is {}: {hint}", order.status.as_str())))
}
