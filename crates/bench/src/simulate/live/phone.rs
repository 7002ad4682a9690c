//! What a driver has before him: offers, a trip, and what he has resolved to do.

use holodrive_protocol::{OrderId, Timestamp};

use super::api::Step;

/// What a driver has resolved to do.
#[derive(Clone, Copy, Debug)]
pub(super) enum Deed {
    Accept(OrderId),
    Decline(OrderId),
    Step(OrderId, Step),
    LoseNetwork {
        until: Timestamp,
    },
    Connect,
    /// The phone is back: it tells where it is, and gets what was sent meanwhile.
    LookUp,
}

/// A live offer, as far as the driver can know.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown {
    pub(super) trip: usize,
    pub(super) expires_at: Timestamp,
    /// Whether it got to the phone.
    pub(super) is_seen: bool,
}

/// A trip under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ride {
    pub(super) order_id: OrderId,
    pub(super) trip: usize,
    pub(super) since: Timestamp,
}
