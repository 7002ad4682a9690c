//! What drivers do.

use holodrive_protocol::{
    Latitude, Longitude, Order, OrderId, UserId,
    http::{
        DriverOrders, DriverStatus, DriverVehicle, SetDriverLocation, SetDriverStatus, SetDriverVehicle, StartTrip,
    },
};

use super::{Api, call::Call};
use crate::Error;

/// Steps answer with the order after them.
impl Api {
    /// The poll: live offers and the current trip.
    pub async fn driver_orders_poll(&self) -> Result<DriverOrders, Error> {
        self.fetch(Call::get("/api/driver/orders/")).await
    }

    /// Takes an offered order.
    pub async fn accept_order(&self, id: OrderId) -> Result<Order, Error> {
        self.driver_step(id, "accept").await
    }

    /// Refuses an offered order.
    pub async fn decline_order(&self, id: OrderId) -> Result<Order, Error> {
        self.driver_step(id, "decline").await
    }

    /// Gives an accepted order back to the search.
    pub async fn release_order(&self, id: OrderId) -> Result<Order, Error> {
        self.driver_step(id, "release").await
    }

    /// The driver is at the pickup.
    pub async fn arrive(&self, id: OrderId) -> Result<Order, Error> {
        self.driver_step(id, "arrive").await
    }

    /// The rider is in the car.
    pub async fn start_trip(&self, id: OrderId) -> Result<Order, Error> {
        self.driver_step(id, "start").await
    }

    /// The rider is in the car, and has told the driver his PIN.
    pub async fn start_trip_with_pin(&self, id: OrderId, pin: &str) -> Result<Order, Error> {
        let body = StartTrip { pin: Some(pin.to_owned()) };
        self.fetch(Call::post(format!("/api/driver/orders/{id}/start/")).json(&body)).await
    }

    /// The trip is over.
    pub async fn complete_trip(&self, id: OrderId) -> Result<Order, Error> {
        self.driver_step(id, "complete").await
    }

    /// Takes orders, or no more.
    pub async fn set_driver_status(&self, status: DriverStatus) -> Result<(), Error> {
        self.perform(Call::put("/api/driver/status/").json(&SetDriverStatus { status })).await
    }

    /// Where the driver is.
    pub async fn set_driver_location(&self, latitude: Latitude, longitude: Longitude) -> Result<(), Error> {
        self.perform(Call::put("/api/driver/location/").json(&SetDriverLocation { latitude, longitude })).await
    }

    /// What a driver drives; for staff and back ends.
    pub async fn driver_vehicle(&self, driver_id: UserId) -> Result<DriverVehicle, Error> {
        self.fetch(Call::get(format!("/api/drivers/{driver_id}/vehicle/"))).await
    }

    /// Says what a driver drives, as staff or a back end.
    pub async fn set_driver_vehicle(
        &self,
        driver_id: UserId,
        vehicle: &SetDriverVehicle,
    ) -> Result<DriverVehicle, Error> {
        self.fetch(Call::put(format!("/api/drivers/{driver_id}/vehicle/")).json(vehicle)).await
    }

    async fn driver_step(&self, id: OrderId, step: &str) -> Result<Order, Error> {
        self.fetch(Call::post(format!("/api/driver/orders/{id}/{step}/"))).await
    }
}
