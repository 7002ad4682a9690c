use holodrive_protocol::{
    ConversationId, Latitude, Longitude, OfferId, Order, OrderId, OrderStatus, Timestamp, UserId,
    order::{Considered, order_code},
};

use super::{pins::Pin, store::SearchTimes};
use crate::dispatch::{Needs, Point, rounded_km};

/// An order as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderRecord {
    /// Its key.
    pub id: OrderId,
    /// Who ordered.
    pub rider_id: UserId,
    /// Who drives.
    pub driver_id: Option<UserId>,
    /// Where it stands.
    pub status: OrderStatus,
    /// What was ordered.
    pub order_type: String,
    /// The pickup, in words.
    pub address_from: String,
    /// The destination, in words.
    pub address_to: String,
    /// The pickup.
    pub from: Point,
    /// The destination.
    pub to: Point,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the rider wants to be picked up, where that is not as soon as may be.
    pub pickup_at: Option<Timestamp>,
    /// Nobody is offered it before, unless staff say so.
    pub search_from: Timestamp,
    /// When the search ends.
    pub search_until: Timestamp,
    /// What it asks of a vehicle.
    pub needs: Needs,
    /// What its driver must be told before the trip starts.
    pub pin: Option<Pin>,
    /// Where rider and driver talk.
    pub conversation_id: Option<ConversationId>,
    /// The live offers: one at the most, unless orders are broadcast.
    pub offers: Vec<LiveOffer>,
}

/// An offer that a driver may accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveOffer {
    /// Its key.
    pub id: OfferId,
    /// Who may.
    pub driver_id: UserId,
    /// Until when.
    pub expires_at: Timestamp,
    /// When it is withdrawn unless it is delivered before; `None`: never.
    pub unreachable_at: Option<Timestamp>,
    /// When his device had it.
    pub delivered_at: Option<Timestamp>,
    /// Whether nobody else is asked meanwhile: staff have chosen him.
    pub is_exclusive: bool,
}

impl LiveOffer {
    /// Whether it has run out, so that it is to end.
    pub(super) fn is_overdue(&self, now: Timestamp) -> bool {
        self.expires_at <= now || self.withdrawn_at().is_some_and(|at| at <= now)
    }

    /// When it ends unless the device has it before; `None`: never, or it has.
    pub(super) fn withdrawn_at(&self) -> Option<Timestamp> {
        self.unreachable_at.filter(|_| self.delivered_at.is_none())
    }
}

impl OrderRecord {
    /// The order that was just made.
    pub(super) fn new(id: OrderId, new: &NewOrder, search: SearchTimes, now: Timestamp) -> Self {
        Self {
            id,
            rider_id: new.rider_id,
            driver_id: None,
            status: OrderStatus::Searching,
            order_type: new.order_type.clone(),
            address_from: new.address_from.clone(),
            address_to: new.address_to.clone(),
            from: new.from,
            to: new.to,
            created_at: now,
            pickup_at: new.pickup_at,
            search_from: search.from,
            search_until: search.until,
            needs: new.needs.clone(),
            pin: None,
            conversation_id: None,
            offers: Vec::new(),
        }
    }

    /// His live offer.
    pub fn offer_to(&self, driver_id: UserId) -> Option<LiveOffer> {
        self.offers.iter().copied().find(|offer| offer.driver_id == driver_id)
    }

    /// The order as far as a driver to whom it is offered may know: other offers are not his concern.
    #[must_use]
    pub fn seen_by(&self, driver_id: UserId) -> Self {
        Self { offers: self.offer_to(driver_id).into_iter().collect(), ..self.clone() }
    }

    /// Who came into question, but for the rider: that he may be a driver himself means nothing to his own order.
    pub(super) fn without_rider(&self, mut considered: Vec<Considered>) -> Vec<Considered> {
        considered.retain(|one| one.driver_id != self.rider_id);
        considered
    }

    /// The order as the interfaces show it to everybody; `driver_at` is where the driver in question was last.
    pub fn view(&self, driver_at: Option<Point>) -> Order {
        Order {
            id: self.id,
            order_code: order_code(self.id),
            status: self.status,
            order_type: self.order_type.clone(),
            created_at: self.created_at,
            pickup_at: self.pickup_at,
            vehicle_class: self.needs.vehicle_class.clone(),
            seats: self.needs.seats,
            address_from: self.address_from.clone(),
            address_to: self.address_to.clone(),
            latitude_from: self.from.latitude,
            longitude_from: self.from.longitude,
            latitude_to: self.to.latitude,
            longitude_to: self.to.longitude,
            distance_to_pickup_km: driver_at.map(|at| rounded_km(at.distance_km(self.from))),
            eta_seconds: None,
            expires_at: self.offers.iter().map(|offer| offer.expires_at).max(),
            remaining_ms: None,
            rider_id: self.rider_id,
            driver_id: self.driver_id,
            conversation_id: self.conversation_id,
            pin: None,
        }
    }

    /// What the rider is to tell his driver: while that is on his way or waits.
    pub(super) fn pin_to_tell(&self) -> Option<String> {
        let is_needed = matches!(self.status, OrderStatus::Accepted | OrderStatus::Arrived);
        self.pin.as_ref().filter(|_| is_needed).map(|pin| pin.digits().to_owned())
    }
}

/// An order that is to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct NewOrder {
    /// Who rides.
    pub rider_id: UserId,
    /// What is ordered.
    pub order_type: String,
    /// The pickup, in words.
    pub address_from: String,
    /// The destination, in words.
    pub address_to: String,
    /// The pickup.
    pub from: Point,
    /// The destination.
    pub to: Point,
    /// When he wants to be picked up; `None`: as soon as may be.
    pub pickup_at: Option<Timestamp>,
    /// What is asked of the vehicle.
    pub needs: Needs,
}

/// Puts two coordinates together.
pub(super) fn point(latitude: Latitude, longitude: Longitude) -> Point {
    Point { latitude, longitude }
}
