//! The riders' side: orders at an even pace, through a back end that knows the API key.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use holodrive_protocol::{Order, OrderId, UserId, http::CreateOrder};
use reqwest::Client;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

use crate::{
    cities::{Cities, Numbers},
    load::Schedule,
    site::{API_KEY, Member},
    socket::now_micros,
};

/// An order; moments are microseconds since the epoch.
#[derive(Clone, Copy)]
pub(super) struct Placed {
    /// When it was to be sent, whether or not it was.
    pub(super) due_at: i64,
    /// When the 201 arrived.
    pub(super) acknowledged_at: i64,
}

/// So many orders a second, until the schedule's end; gives those within the measured time.
pub(super) async fn order(
    address: SocketAddr,
    riders: Vec<Member>,
    rate: u32,
    schedule: Schedule,
) -> anyhow::Result<HashMap<OrderId, Placed>> {
    let (client, cities, mut numbers) = (Client::new(), Cities::new(1), Numbers::new());
    let (url, mut answers) = (format!("http://{address}/api/orders/"), JoinSet::new());
    for number in 0_u32.. {
        let due = schedule.begin + Duration::from_secs(1) * number / rate;
        if due >= schedule.to {
            break;
        }
        let rider = riders[number as usize % riders.len()].id;
        let order = new_order(rider, &cities, &mut numbers)?;
        sleep_until(Instant::from_std(due)).await;
        answers.spawn(place_one(client.clone(), url.clone(), order, due));
    }
    let mut measured = HashMap::new();
    while let Some(answer) = answers.join_next().await {
        let (order_id, due, placed) = answer??;
        if schedule.holds(due) {
            measured.insert(order_id, placed);
        }
    }
    Ok(measured)
}

async fn place_one(
    client: Client,
    url: String,
    order: CreateOrder,
    due: std::time::Instant,
) -> anyhow::Result<(OrderId, std::time::Instant, Placed)> {
    let request = client.post(url).header("authorization", format!("Api-Key {API_KEY}")).json(&order);
    let answer = request.send().await?;
    let (status, acknowledged_at) = (answer.status(), now_micros());
    let due_at = acknowledged_at - i64::try_from(due.elapsed().as_micros())?;
    let text = answer.text().await?;
    anyhow::ensure!(status == 201, "an order was answered {status}: {text}");
    Ok((serde_json::from_str::<Order>(&text)?.id, due, Placed { due_at, acknowledged_at }))
}

fn new_order(rider_id: UserId, cities: &Cities, numbers: &mut Numbers) -> anyhow::Result<CreateOrder> {
    let (from, to) = (cities.place(numbers)?, cities.place(numbers)?);
    Ok(serde_json::from_value(serde_json::json!({
        "address_from": "Chilanzar district", "address_to": "Yunusabad district",
        "latitude_from": from.latitude, "longitude_from": from.longitude,
        "latitude_to": to.latitude, "longitude_to": to.longitude, "rider_id": rider_id,
    }))?)
}
