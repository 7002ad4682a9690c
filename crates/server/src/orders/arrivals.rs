//! When drivers arrive: at the pickup, and with the rider in the car at the destination.

use std::collections::HashMap;

use holodrive_protocol::{Order, OrderId, OrderStatus, UserId};
use parking_lot::Mutex;

use super::record::{OrderRecord, point};
use crate::{dispatch::Point, eta::Eta};

/// Times of arrival, and where the drivers of trips are going.
pub(super) struct Arrivals {
    eta: Eta,
    trips: Mutex<HashMap<OrderId, Point>>,
}

impl Arrivals {
    pub(super) fn new(eta: Eta) -> Self {
        Self { eta, trips: Mutex::default() }
    }

    /// Follows no order any more, until it is taken in again.
    pub(super) fn forget_trips(&self) {
        self.trips.lock().clear();
    }

    /// An order took a step, or was read: follows it as long as a driver is on his way.
    pub(super) fn take_in(&self, order: &Order) {
        let from = point(order.latitude_from, order.longitude_from);
        let next = next_place(order.status, from, point(order.latitude_to, order.longitude_to));
        let mut trips = self.trips.lock();
        match next.filter(|_| order.status.is_trip()) {
            Some(place) => _ = trips.insert(order.id, place),
            None => _ = trips.remove(&order.id),
        }
    }

    /// Seconds until a driver who is here has come to the next place of this order.
    pub(super) fn seconds(&self, order: &OrderRecord, driver_id: UserId, at: Point) -> Option<u64> {
        let place = next_place(order.status, order.from, order.to)?;
        Some(self.eta.seconds(driver_id, at, place))
    }

    /// The same for the trip that he is on.
    pub(super) fn seconds_of_trip(&self, order_id: OrderId, driver_id: UserId, at: Point) -> Option<u64> {
        let place = *self.trips.lock().get(&order_id)?;
        Some(self.eta.seconds(driver_id, at, place))
    }
}

/// Where the driver of an order, or whoever it is offered to, is expected next.
fn next_place(status: OrderStatus, from: Point, to: Point) -> Option<Point> {
    match status {
        OrderStatus::Pending | OrderStatus::Accepted => Some(from),
        OrderStatus::InProgress => Some(to),
        _ => None,
    }
}
