//! The riders' side: orders at an even pace, whether or not the server keeps up.

use std::{collections::HashMap, time::Duration};

use anyhow::Context;
use holodrive_protocol::{Latitude, Longitude, Order, OrderId, UserId, http::CreateOrder};
use reqwest::Client;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use crate::{
    site::{API_KEY, Member},
    socket::now_micros,
};

/// The south-west corner of the city, in degrees.
const CORNER: (f64, f64) = (41.2, 69.15);
/// The city's sides, in degrees.
const SIDE: f64 = 0.2;
/// Steps that fill a square evenly, however many are taken: the powers of 1/ρ, where ρ is the plastic number (ρ³ = ρ + 1).
const STEP: (f64, f64) = (0.754_877_666_246_692_7, 0.569_840_290_998_053_3);

/// One place in the city for each number, the same in every run.
pub(super) fn place_of(n: usize) -> anyhow::Result<(Latitude, Longitude)> {
    let n = f64::from(u32::try_from(n)?);
    let (north, east) = (CORNER.0 + SIDE * (n * STEP.0).fract(), CORNER.1 + SIDE * (n * STEP.1).fract());
    Latitude::from_degrees(north).zip(Longitude::from_degrees(east)).context("a place that is not on Earth")
}

/// An order; moments are microseconds since the epoch.
#[derive(Clone, Copy)]
pub(super) struct Placed {
    /// When it was to be sent, whether or not it was.
    pub(super) due_at: i64,
    /// When the 201 arrived.
    pub(super) acknowledged_at: i64,
}

/// Each rider orders once, spread evenly over the time.
pub(super) async fn place(
    address: String,
    riders: Vec<Member>,
    within: Duration,
) -> anyhow::Result<HashMap<OrderId, Placed>> {
    let (client, began) = (Client::new(), Instant::now());
    let (mut answers, count) = (JoinSet::new(), u32::try_from(riders.len())?);
    for (n, rider) in (0..).zip(&riders) {
        let due = began + within * n / count;
        sleep_until(due).await;
        // Riders stand where no driver does.
        let order = order(rider.id, count as usize + n as usize)?;
        answers.spawn(place_one(client.clone(), format!("http://{address}/api/orders/"), order, due));
    }
    let mut placed = HashMap::with_capacity(riders.len());
    while let Some(answer) = answers.join_next().await {
        placed.extend([answer??]);
    }
    Ok(placed)
}

async fn place_one(client: Client, url: String, order: CreateOrder, due: Instant) -> anyhow::Result<(OrderId, Placed)> {
    let request = client.post(url).header("authorization", format!("Api-Key {API_KEY}")).json(&order);
    let answer = request.send().await?;
    let (status, acknowledged_at) = (answer.status(), now_micros());
    let due_at = acknowledged_at - i64::try_from(due.elapsed().as_micros())?;
    anyhow::ensure!(status == 201, "an order was answered {status}: {}", answer.text().await?);
    Ok((answer.json::<Order>().await?.id, Placed { due_at, acknowledged_at }))
}

fn order(rider_id: UserId, n: usize) -> anyhow::Result<CreateOrder> {
    let ((latitude_from, longitude_from), (latitude_to, longitude_to)) = (place_of(n)?, place_of(n + 1)?);
    Ok(CreateOrder {
        address_from: "Chilanzar district".to_owned(),
        address_to: "Yunusabad district".to_owned(),
        latitude_from,
        longitude_from,
        latitude_to,
        longitude_to,
        order_type: None,
        pickup_at: None,
        vehicle_class: None,
        seats: None,
        rider_id: Some(rider_id),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn places_differ_and_stay_in_the_city() {
        let places: Vec<_> = (0..5_000).map(|n| place_of(n).unwrap()).collect();
        let within = |value: f64, corner: f64| (corner..=corner + SIDE).contains(&value);
        assert!(places.iter().all(|(north, east)| within(north.degrees(), 41.2) && within(east.degrees(), 69.15)));
        let mut distinct: Vec<_> = places.iter().map(|(n, e)| (n.microdegrees(), e.microdegrees())).collect();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), places.len());
    }
}
