//! Orders and offers as the database keeps them.

use std::collections::BTreeSet;

use holodrive::dispatch::{OfferTimes, Point};
use holodrive_protocol::{OfferId, OrderId, OrderStatus, Timestamp, UserId};

use crate::simulate::outcome::OfferEnd;

/// An order.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) status: OrderStatus,
    pub(crate) pickup: Point,
    pub(crate) created_at: Timestamp,
    pub(crate) search_until: Timestamp,
    pub(crate) driver_id: Option<UserId>,
    pub(crate) live: BTreeSet<OfferId>,
    /// Who was asked in vain, and until when he is not asked again.
    pub(super) barred: Vec<(UserId, Timestamp)>,
    pub(crate) offers: u32,
}

/// An offer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offer {
    pub(crate) times: OfferTimes,
    /// `None` while it is live.
    pub(crate) end: Option<OfferEnd>,
    /// Whether the phone has it.
    pub(crate) is_delivered: bool,
}

/// What has run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Overdue {
    Expired(OfferId),
    Unreachable(OfferId),
    Search(OrderId),
}

/// An acceptance that counts.
pub(crate) struct Accepted {
    pub(crate) order_id: OrderId,
    pub(crate) driver_id: UserId,
    /// Offers that are of no use any more, of this order and to this driver.
    pub(crate) others: Vec<OfferId>,
}
