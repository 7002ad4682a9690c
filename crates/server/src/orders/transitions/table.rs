//! Every transition of an order. What is not in this table does not happen.

use holodrive_protocol::{
    OrderId,
    OrderStatus::{self, Accepted, Arrived, Cancelled, Completed, InProgress, NoDriver, Pending, Searching},
    UserId,
};
use serde_json::Value as Json;

use super::super::store::record_event;
use crate::storage::{StorageError, Tx, Value};

/// One statement, and its entry of the history.
pub(super) struct Transition {
    /// Where the order must stand.
    pub(super) from: &'static [OrderStatus],
    /// Where it stands then.
    pub(super) to: OrderStatus,
    /// What must hold besides, in SQL; `$2` and so on are given by whoever takes it.
    guard: &'static str,
    /// What is set besides.
    set: &'static str,
    /// The type of the entry.
    pub(super) event: &'static str,
}

/// The dispatcher or staff offer an order that nobody has.
pub(super) const OFFER: Transition =
    Transition { from: &[Searching], to: Pending, guard: ALWAYS, set: NOTHING, event: "offered" };
/// The dispatcher offers it to one more driver, where orders are broadcast and nobody is asked alone.
pub(super) const OFFER_TO_ONE_MORE: Transition = Transition {
    from: &[Searching, Pending],
    guard: "NOT EXISTS (SELECT 1 FROM holodrive_offer f WHERE f.order_id = $1 AND f.state = 'live' AND f.exclusive)",
    ..OFFER
};

/// The driver `$2` takes it; his offer was live and in time, or this is not reached. `$3` is the PIN, `$4` where he and the rider talk.
pub(super) const ACCEPT: Transition = Transition {
    from: &[Pending],
    to: Accepted,
    guard: ALWAYS,
    set: "driver_id = $2, start_pin = $3, conversation_id = $4",
    event: "accepted",
};

/// The driver refuses; with the last offer the order searches again.
pub(super) const DECLINE: Transition = Transition {
    from: &[Pending],
    to: Searching,
    guard: "NOT EXISTS (SELECT 1 FROM holodrive_offer f WHERE f.order_id = $1 AND f.state = 'live')",
    set: NOTHING,
    event: "offer_declined",
};
/// The deadline of an offer: by timer, sweep or poll.
pub(super) const EXPIRE: Transition = Transition { event: "offer_expired", ..DECLINE };
/// An offer is taken back: unreachable, reassigned, cancelled, busy, taken.
pub(super) const REVOKE: Transition = Transition { event: "offer_revoked", ..DECLINE };

/// The driver `$2` is at the pickup.
pub(super) const ARRIVE: Transition =
    Transition { from: &[Accepted], to: Arrived, guard: HIS, set: NOTHING, event: "arrived" };
/// The rider is in his car; `$3` is the PIN that the driver was told.
pub(super) const START: Transition = Transition {
    from: &[Arrived],
    to: InProgress,
    guard: "driver_id = $2 AND (start_pin IS NULL OR start_pin = $3)",
    set: NOTHING,
    event: "started",
};
/// The rider is at his destination; staff may say so for the driver `$2`.
pub(super) const COMPLETE: Transition =
    Transition { from: &[InProgress], to: Completed, guard: HIS, set: NOTHING, event: "completed" };

/// The driver `$2` gives it back; it searches from `$3` until `$4`.
pub(super) const RELEASE: Transition = Transition {
    from: &[Accepted, Arrived],
    to: Searching,
    guard: HIS,
    set: "driver_id = NULL, start_pin = NULL, search_from = $3, search_until = $4",
    event: "released",
};
/// Staff take it away from him.
pub(super) const UNASSIGN: Transition = Transition { event: "unassigned", ..RELEASE };
/// Nothing was heard of him since `$5`, and he has done nothing about the order either.
pub(super) const LOSE_CONTACT: Transition = Transition {
    guard: "driver_id = $2 \
        AND NOT EXISTS (SELECT 1 FROM holodrive_driver d WHERE d.driver_id = $2 AND d.seen_at > $5) \
        AND NOT EXISTS (SELECT 1 FROM holodrive_order_event e WHERE e.order_id = $1 AND e.actor_id = $2 AND e.at > $5)",
    ..UNASSIGN
};

/// The rider or staff end it; a live offer was revoked before.
pub(super) const CANCEL: Transition = Transition {
    from: &[Searching, Accepted, Arrived],
    to: Cancelled,
    guard: ALWAYS,
    set: NOTHING,
    event: "cancelled",
};
/// The search has run out by `$2`.
pub(super) const GIVE_UP: Transition =
    Transition { from: &[Searching], to: NoDriver, guard: "search_until <= $2", set: NOTHING, event: "no_driver" };

/// The order is this driver's.
const HIS: &str = "driver_id = $2";
const ALWAYS: &str = "";
const NOTHING: &str = "";

impl Transition {
    /// Takes an order along, and leaves an entry in its history; gives the entry's key. `None` when it does not stand there, or
    /// the guard does not let it pass.
    pub(super) fn apply(
        &self,
        tx: &mut Tx<'_>,
        order_id: OrderId,
        params: &[Value],
        actor_id: Option<UserId>,
        details: &Json,
    ) -> Result<Option<i64>, StorageError> {
        if self.take(tx, order_id, params)? { self.record(tx, order_id, actor_id, details).map(Some) } else { Ok(None) }
    }

    /// Takes an order along; tells whether it went.
    pub(super) fn take(&self, tx: &mut Tx<'_>, order_id: OrderId, params: &[Value]) -> Result<bool, StorageError> {
        let params: Vec<Value> = [Value::from(order_id)].into_iter().chain(params.iter().cloned()).collect();
        Ok(tx.execute(&self.statement(), &params)? > 0)
    }

    /// Leaves the entry in the order's history.
    pub(super) fn record(
        &self,
        tx: &mut Tx<'_>,
        order_id: OrderId,
        actor_id: Option<UserId>,
        details: &Json,
    ) -> Result<i64, StorageError> {
        record_event(tx, order_id, self.event, actor_id, details)
    }

    fn statement(&self) -> String {
        let from = self.from.iter().map(|status| format!("'{}'", status.as_str())).collect::<Vec<_>>().join(", ");
        let set = if self.set.is_empty() { String::new() } else { format!(", {}", self.set) };
        let guard = if self.guard.is_empty() { String::new() } else { format!(" AND {}", self.guard) };
        let to = self.to.as_str();
        format!("UPDATE holodrive_order SET status = '{to}'{set} WHERE id = $1 AND status IN ({from}){guard}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_becomes_one_conditional_statement() {
        assert_eq!(
            START.statement(),
            "UPDATE holodrive_order SET status = 'in_progress' WHERE id = $1 AND status IN ('arrived') AND driver_id = $2 \
             AND (start_pin IS NULL OR start_pin = $3)"
        );
        assert_eq!(
            ACCEPT.statement(),
            "UPDATE holodrive_order SET status = 'accepted', driver_id = $2, start_pin = $3, conversation_id = $4 \
             WHERE id = $1 AND status IN ('pending')"
        );
    }

    #[test]
    fn every_status_can_be_reached_and_what_is_over_stays_over() {
        let all = [
            OFFER,
            OFFER_TO_ONE_MORE,
            ACCEPT,
            DECLINE,
            EXPIRE,
            REVOKE,
            ARRIVE,
            START,
            COMPLETE,
            RELEASE,
            UNASSIGN,
            LOSE_CONTACT,
            CANCEL,
            GIVE_UP,
        ];
        for status in [Searching, Pending, Accepted, Arrived, InProgress, Completed, Cancelled, NoDriver] {
            assert!(all.iter().any(|row| row.to == status), "{status:?}");
            assert_eq!(all.iter().any(|row| row.from.contains(&status)), !status.is_over(), "{status:?}");
        }
    }
}
