//! What happens to the board, as data: so that every node on the database can be told.

use holodrive_protocol::{OfferId, OrderId, Timestamp, UserId, http::DriverStatus};
use serde::{Deserialize, Serialize};

use super::{
    board::Board,
    fleet::Position,
    model::{OfferTimes, Vehicle, Waiting},
};

/// A change that the database holds. A change that the board has already changes nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// An order searches, from now on or again.
    Search(Waiting),
    /// An order searches no more.
    StopSearch(OrderId),
    /// An offer was made.
    OfferMade(OfferId, OfferTimes),
    /// The driver's device has the offer.
    OfferDelivered(OfferId),
    /// An offer ended, one way or another.
    OfferEnded(OfferId),
    /// An offer never reached this driver's phone.
    DriverUnreachable(UserId),
    /// A driver has an order.
    TripStarted(UserId, OrderId),
    /// A driver has no order any more.
    TripEnded(UserId),
    /// A driver's own word on whether he takes orders; `None` when he never said.
    DriverStatus(UserId, Option<DriverStatus>, Option<Timestamp>),
    /// What a driver drives; `None` when nobody said.
    DriverVehicle(UserId, Option<Vehicle>),
    /// A driver showed that he is there.
    DriverSeen(UserId, Timestamp),
    /// A driver told where he is.
    DriverMoved(UserId, Position),
}

impl Board {
    /// Takes a change in.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Search(waiting) => self.search(waiting),
            Change::StopSearch(order_id) => self.stop_search(order_id),
            Change::OfferMade(offer_id, times) => self.offer_made(offer_id, times),
            Change::OfferDelivered(offer_id) => self.offer_delivered(offer_id),
            Change::OfferEnded(offer_id) => self.offer_ended(offer_id),
            Change::DriverUnreachable(driver_id) => self.driver_unreachable(driver_id),
            Change::TripStarted(driver_id, order_id) => self.trip_started(driver_id, order_id),
            Change::TripEnded(driver_id) => self.trip_ended(driver_id),
            Change::DriverStatus(driver_id, status, seen_at) => self.driver_status(driver_id, status, seen_at),
            Change::DriverVehicle(driver_id, vehicle) => self.driver_vehicle(driver_id, vehicle),
            Change::DriverSeen(driver_id, at) => self.driver_seen(driver_id, at),
            Change::DriverMoved(driver_id, position) => _ = self.driver_moved(driver_id, position),
        }
    }
}
