//! A rider: orders, waits, and leaves.

use std::sync::Arc;

use holodrive_protocol::{OrderId, OrderStatus, http::CreateOrder};
use tokio::time::sleep_until;

use super::City;
use crate::{
    simulate::{outcome::End, scenario::Scenario},
    site::Member,
};

/// Orders the trip of that number at its time; gives the order's key once nobody waits for it any more.
pub(super) async fn ride(trip: usize, rider: Member, city: Arc<City>) -> anyhow::Result<(OrderId, Member)> {
    let wanted = city.scenario.trips[trip];
    sleep_until(city.pace.instant(wanted.requested_at)).await;
    let order_id = city.api.order(&order(&city.scenario, trip, &rider)).await?;
    let patience = city.people.patience(city.scenario.seed, trip as u64 + 1);
    // Nobody waits longer than the server looks for a driver.
    sleep_until(city.pace.instant(wanted.requested_at.after(patience.min(city.longest)))).await;
    let stands = city.api.show(&rider, order_id).await?.status;
    if stands == OrderStatus::NoDriver {
        city.record.ended(trip, End::NoDriver(city.search_timeout));
    } else if matches!(stands, OrderStatus::Searching | OrderStatus::Pending)
        && city.api.cancel(&rider, order_id).await?
    {
        city.record.ended(trip, End::Left(city.pace.now().since(wanted.requested_at)));
    }
    Ok((order_id, rider))
}

fn order(scenario: &Scenario, trip: usize, rider: &Member) -> CreateOrder {
    let wanted = scenario.trips[trip];
    CreateOrder {
        address_from: super::address(trip),
        address_to: "Destination".to_owned(),
        latitude_from: wanted.from.latitude,
        longitude_from: wanted.from.longitude,
        latitude_to: wanted.to.latitude,
        longitude_to: wanted.to.longitude,
        order_type: None,
        pickup_at: None,
        vehicle_class: None,
        seats: None,
        rider_id: Some(rider.id),
    }
}
