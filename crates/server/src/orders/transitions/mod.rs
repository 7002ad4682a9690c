//! The state machine of orders and offers: each transition is one conditional statement for the order, one for its offer,
//! and one row of history, in the caller's transaction. Whoever gets the row has won.
//!
//! ```text
//! order:  searching ⇄ pending → accepted → arrived → in_progress → completed
//!         searching → no_driver;  searching, pending, accepted, arrived → cancelled;  accepted, arrived → searching
//! offer:  live → accepted | declined | expired | revoked;  accepted → released
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `table` | the transitions of orders, as data: from where to where, what must hold, which entry of the history it leaves |
//! | `offers` | what goes with them for offers: made, delivered, accepted, ended |
//! | `trips` | what becomes of an order without an offer: steps of a trip, given back, cancelled, given up |
//! | `overdue` | what the passing of time has ended |

mod offers;
mod overdue;
mod table;
mod trips;

pub(super) use offers::{
    Ask, EndedOffer, NewOffer, OfferEnd, Revocation, accept, deliver, end_offer, make_exclusive, offer, take_offer,
};
pub(super) use overdue::{SilentDriver, live_offers_of, overdue_offers, overdue_searches, silent_drivers};
pub(super) use trips::{GivenBack, TripStep, cancel, complete_for, give_back, give_up, step};

use crate::storage::StorageError;

/// Key of an entry of the history that holds a list of [`Considered`](holodrive_protocol::order::Considered); it is for staff.
pub(super) const CONSIDERED: &str = "considered";

/// Order and offer change together; a half of it alone means that the invariants do not hold, and undoes the rest.
fn disagreement() -> StorageError {
    StorageError::Constraint("an order and its offer disagree".to_owned())
}
