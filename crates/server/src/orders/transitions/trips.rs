//! What becomes of an order that a driver has, or that nobody wants.

use holodrive_protocol::{OrderId, OrderStatus, Timestamp, UserId, order::Considered};
use serde_json::json;

use super::{
    super::{pins::Pin, store::SearchTimes},
    CONSIDERED, Revocation, disagreement,
    table::{ARRIVE, CANCEL, COMPLETE, GIVE_UP, LOSE_CONTACT, RELEASE, START, Transition, UNASSIGN},
};
use crate::storage::{StorageError, Tx, Value};

/// A step that a driver takes on a trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::orders) enum TripStep {
    /// He is at the pickup.
    Arrive,
    /// The rider is in the car.
    Start,
    /// The rider is at his destination.
    Complete,
}

impl TripStep {
    const fn transition(self) -> &'static Transition {
        match self {
            Self::Arrive => &ARRIVE,
            Self::Start => &START,
            Self::Complete => &COMPLETE,
        }
    }

    /// Where the order must stand, which is one place for a step, and where it stands then.
    pub(in crate::orders) const fn statuses(self) -> (OrderStatus, OrderStatus) {
        let Transition { from, to, .. } = self.transition();
        (from[0], *to)
    }
}

/// A step of the trip, by its driver; to start, with the PIN where the order has one. `None` when the order does not stand
/// there.
pub(in crate::orders) fn step(
    tx: &mut Tx<'_>,
    order_id: OrderId,
    driver_id: UserId,
    step: TripStep,
    pin: Option<&Pin>,
) -> Result<Option<i64>, StorageError> {
    let mut params: Vec<Value> = vec![driver_id.into()];
    if step == TripStep::Start {
        params.push(pin.map(Pin::digits).into());
    }
    step.transition().apply(tx, order_id, &params, Some(driver_id), &json!({}))
}

/// The last step, by staff or a back end for the driver. `None` when the order does not stand there.
pub(in crate::orders) fn complete_for(
    tx: &mut Tx<'_>,
    order_id: OrderId,
    driver_id: UserId,
    actor_id: Option<UserId>,
) -> Result<Option<i64>, StorageError> {
    COMPLETE.apply(tx, order_id, &[driver_id.into()], actor_id, &json!({"by": "staff"}))
}

/// Who ends a driver's part in an order that is to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::orders) enum GivenBack {
    /// The driver himself.
    Released,
    /// Staff, or a back end without a user.
    Unassigned { actor_id: Option<UserId> },
    /// Nobody: nothing was heard of the driver since then.
    LostContact { silent_since: Timestamp },
}

/// The order searches anew, without this driver. `None` when he does not have it.
pub(in crate::orders) fn give_back(
    tx: &mut Tx<'_>,
    order_id: OrderId,
    driver_id: UserId,
    search: SearchTimes,
    by: GivenBack,
) -> Result<Option<i64>, StorageError> {
    let mut params: Vec<Value> = vec![driver_id.into(), search.from.into(), search.until.into()];
    let mut details = json!({"driver_id": driver_id});
    let (transition, actor_id) = match by {
        GivenBack::Released => (RELEASE, Some(driver_id)),
        GivenBack::Unassigned { actor_id } => (UNASSIGN, actor_id),
        GivenBack::LostContact { silent_since } => {
            params.push(silent_since.into());
            details["reason"] = Revocation::Unreachable.as_str().into();
            (LOSE_CONTACT, None)
        }
    };
    let event = transition.apply(tx, order_id, &params, actor_id, &details)?;
    let Some(event) = event else { return Ok(None) };
    let sql = "UPDATE holodrive_offer SET state = 'released', ended_at = $2 WHERE order_id = $1 AND state = 'accepted'";
    if tx.execute(sql, &[order_id.into(), tx.now().into()])? == 1 { Ok(Some(event)) } else { Err(disagreement()) }
}

/// The rider or staff end the order. `None` when it is too late.
pub(in crate::orders) fn cancel(
    tx: &mut Tx<'_>,
    order_id: OrderId,
    actor_id: UserId,
    by: &str,
) -> Result<Option<i64>, StorageError> {
    CANCEL.apply(tx, order_id, &[], Some(actor_id), &json!({"by": by}))
}

/// The search has run out. `None` when it has not.
pub(in crate::orders) fn give_up(
    tx: &mut Tx<'_>,
    order_id: OrderId,
    considered: &[Considered],
) -> Result<Option<i64>, StorageError> {
    let now = tx.now();
    GIVE_UP.apply(tx, order_id, &[now.into()], None, &json!({ CONSIDERED: considered }))
}
