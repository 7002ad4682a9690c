//! What happens to an order that a driver has, and the end of orders by people.

use std::sync::Arc;

use holodrive_protocol::{OrderId, OrderStatus, UserId};

use super::{
    endings::Withdrawal,
    error::OrderError,
    events::DriverEventKind,
    pins::{self, Pin, Verdict},
    record::OrderRecord,
    service::{Orders, load_order},
    texts::{self, RiderNotice},
    transitions::{self, GivenBack, OfferEnd, Revocation, TripStep},
};
use crate::{accounts::User, dispatch::Change, storage::Tx};

/// Why an order cannot be given back or taken away.
const NOT_ON_HIS_WAY: &str = "only an accepted order can be given back";

/// What came of a driver's wish to start.
pub(super) enum Started {
    /// The rider is in the car.
    Now(Box<OrderRecord>),
    /// This was not his PIN; the attempt counts.
    WrongPin {
        /// How many more may be made for now.
        tries_left: u32,
    },
}

impl Orders {
    /// The driver arrives or completes, or starts where that needs no PIN.
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
        let order = own_order(tx, order_id, driver_id)?;
        self.take_step(tx, order, driver_id, step, None)
    }

    /// The driver starts, with the PIN that the rider has told him where the order has one.
    ///
    /// # Errors
    /// As [`Orders::step`], and [`OrderError::TooManyPins`].
    pub(super) fn start(
        self: &Arc<Self>,
        tx: &mut Tx<'_>,
        order_id: OrderId,
        driver_id: UserId,
        pin: Option<&Pin>,
    ) -> Result<Started, OrderError> {
        let order = own_order(tx, order_id, driver_id)?;
        if order.status == OrderStatus::Arrived
            && let Verdict::Wrong { tries_left } = pins::judge(tx, &order, driver_id, pin)?
        {
            return Ok(Started::WrongPin { tries_left });
        }
        self.take_step(tx, order, driver_id, TripStep::Start, pin).map(|order| Started::Now(Box::new(order)))
    }

    /// Staff complete the trip for a driver who cannot: his phone is dead, or he is no driver any more.
    ///
    /// # Errors
    /// [`OrderError::InvalidTransition`] when no rider is in the car, [`OrderError::NotFound`].
    pub fn complete(
        self: &Arc<Self>,
        tx: &mut Tx<'_>,
        order_id: OrderId,
        actor_id: Option<UserId>,
    ) -> Result<OrderRecord, OrderError> {
        let order = load_order(tx, order_id)?;
        let Some(driver_id) = order.driver_id else { return Err(out_of_turn(&order, TripStep::Complete)) };
        let Some(seq) = transitions::complete_for(tx, order_id, driver_id, actor_id)? else {
            return Err(out_of_turn(&order, TripStep::Complete));
        };
        let message = texts::completed_by_staff(order_id);
        self.tell_driver(tx, driver_id, seq, DriverEventKind::TripCancelled { message });
        self.after_step(tx, order, driver_id, TripStep::Complete, seq)
    }

    fn take_step(
        self: &Arc<Self>,
        tx: &mut Tx<'_>,
        order: OrderRecord,
        driver_id: UserId,
        step: TripStep,
        pin: Option<&Pin>,
    ) -> Result<OrderRecord, OrderError> {
        match transitions::step(tx, order.id, driver_id, step, pin)? {
            Some(seq) => self.after_step(tx, order, driver_id, step, seq),
            None => Err(out_of_turn(&order, step)),
        }
    }

    fn after_step(
        self: &Arc<Self>,
        tx: &mut Tx<'_>,
        before: OrderRecord,
        driver_id: UserId,
        step: TripStep,
        seq: i64,
    ) -> Result<OrderRecord, OrderError> {
        if step == TripStep::Complete {
            self.end_trip(tx, driver_id);
        }
        let (_, status) = step.statuses();
        let order = OrderRecord { status, ..before };
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
        match self.give_back(tx, &before, driver_id, GivenBack::Released)? {
            Some((order, _)) => Ok(order),
            None => Err(wrong_state(tx, order_id, NOT_ON_HIS_WAY)?),
        }
    }

    /// Staff take an order away from its driver: it searches again, and never comes back to him unless staff say so.
    ///
    /// # Errors
    /// [`OrderError::InvalidTransition`] when no driver is on his way to the rider, [`OrderError::NotFound`].
    pub fn unassign(
        self: &Arc<Self>,
        tx: &mut Tx<'_>,
        order_id: OrderId,
        actor_id: Option<UserId>,
    ) -> Result<OrderRecord, OrderError> {
        match self.take_away(tx, order_id, GivenBack::Unassigned { actor_id })? {
            Some(order) => Ok(order),
            None => Err(wrong_state(tx, order_id, NOT_ON_HIS_WAY)?),
        }
    }

    /// Takes an order from its driver, who did not ask for that; `None` when he is not on his way, or the reason does not hold.
    pub(super) fn take_away(
        self: &Arc<Self>,
        tx: &mut Tx<'_>,
        order_id: OrderId,
        by: GivenBack,
    ) -> Result<Option<OrderRecord>, OrderError> {
        let before = load_order(tx, order_id)?;
        let Some(driver_id) = before.driver_id else { return Ok(None) };
        let Some((order, seq)) = self.give_back(tx, &before, driver_id, by)? else { return Ok(None) };
        let message = texts::taken_away(order_id);
        self.tell_driver(tx, driver_id, seq, DriverEventKind::TripCancelled { message });
        Ok(Some(order))
    }

    /// The order after it, and the entry of the history. `None` when the driver is not on his way, or the reason does not hold.
    fn give_back(
        self: &Arc<Self>,
        tx: &mut Tx<'_>,
        before: &OrderRecord,
        driver_id: UserId,
        by: GivenBack,
    ) -> Result<Option<(OrderRecord, i64)>, OrderError> {
        let (order_id, search) = (before.id, self.search_times(before.pickup_at, before.search_from, tx.now()));
        let Some(seq) = transitions::give_back(tx, order_id, driver_id, search, by)? else { return Ok(None) };
        if let Some(conversation_id) = before.conversation_id {
            self.chat.remove_participant(tx, conversation_id, driver_id)?;
        }
        self.end_trip(tx, driver_id);
        let order = load_order(tx, order_id)?;
        self.notify_rider(tx, &order, RiderNotice::SearchingAgain, seq)?;
        self.search(tx, &order)?;
        Ok(Some((order, seq)))
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

/// The order does not stand at the step before.
fn out_of_turn(order: &OrderRecord, step: TripStep) -> OrderError {
    let (from, to) = step.statuses();
    let hint = format!("{} comes after {}", to.as_str(), from.as_str());
    invalid_transition(order, &hint)
}

fn wrong_state(tx: &mut Tx<'_>, order_id: OrderId, hint: &str) -> Result<OrderError, OrderError> {
    Ok(invalid_transition(&load_order(tx, order_id)?, hint))
}

fn invalid_transition(order: &OrderRecord, hint: &str) -> OrderError {
    OrderError::InvalidTransition(format!("the order is {}: {hint}", order.status.as_str()))
}
