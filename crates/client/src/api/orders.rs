//! Orders, for riders, staff and back ends.

use holodrive_protocol::{
    Order, OrderEvent, OrderId, OrderStatus, UserId,
    http::{AssignOrder, Candidates, CreateOrder, Page},
};

use super::{Api, PageOf, call::Call};
use crate::Error;

impl Api {
    /// Orders a ride; the search for a driver begins at once.
    pub async fn create_order(&self, order: &CreateOrder) -> Result<Order, Error> {
        self.fetch(Call::post("/api/orders/").json(order)).await
    }

    /// One's orders; for staff everybody's.
    pub async fn orders(&self, page: &PageOf) -> Result<Page<Order>, Error> {
        self.fetch(Call::get("/api/orders/").query(page.pairs())).await
    }

    /// One's orders in one status; for staff everybody's.
    pub async fn orders_in(&self, status: OrderStatus, page: &PageOf) -> Result<Page<Order>, Error> {
        let status = [("status", status.as_str().to_owned())];
        self.fetch(Call::get("/api/orders/").query(status).query(page.pairs())).await
    }

    /// One order.
    pub async fn order(&self, id: OrderId) -> Result<Order, Error> {
        self.fetch(Call::get(format!("/api/orders/{id}/"))).await
    }

    /// What happened to an order.
    pub async fn order_events(&self, id: OrderId, page: &PageOf) -> Result<Page<OrderEvent>, Error> {
        self.fetch(Call::get(format!("/api/orders/{id}/events/")).query(page.pairs())).await
    }

    /// Who comes into question for an order that nobody has, for staff or a back end.
    pub async fn candidates(&self, id: OrderId) -> Result<Candidates, Error> {
        self.fetch(Call::get(format!("/api/orders/{id}/candidates/"))).await
    }

    /// Cancels an order, as its rider or as staff.
    pub async fn cancel_order(&self, id: OrderId) -> Result<Order, Error> {
        self.fetch(Call::post(format!("/api/orders/{id}/cancel/"))).await
    }

    /// Offers an order to one driver now, as staff or a back end.
    pub async fn assign_order(&self, id: OrderId, driver_id: UserId) -> Result<Order, Error> {
        self.fetch(Call::post(format!("/api/orders/{id}/assign/")).json(&AssignOrder { driver_id })).await
    }

    /// Takes an order away from its driver, as staff or a back end; it searches again.
    pub async fn unassign_order(&self, id: OrderId) -> Result<Order, Error> {
        self.fetch(Call::post(format!("/api/orders/{id}/unassign/"))).await
    }

    /// Completes a trip for its driver, as staff or a back end.
    pub async fn complete_order(&self, id: OrderId) -> Result<Order, Error> {
        self.fetch(Call::post(format!("/api/orders/{id}/complete/"))).await
    }
}
