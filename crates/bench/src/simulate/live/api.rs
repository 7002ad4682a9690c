//! What riders and drivers ask the server over HTTP.

use anyhow::Context;
use holodrive_protocol::{Order, OrderId, http::CreateOrder};
use reqwest::{Client, Response, StatusCode};
use serde::Serialize;

use crate::site::{API_KEY, Member};

/// The server's HTTP interface.
#[derive(Clone)]
pub(super) struct Api {
    client: Client,
    root: String,
}

impl Api {
    pub(super) fn new(address: &str) -> Self {
        Self { client: Client::new(), root: format!("http://{address}/api") }
    }

    /// A back end orders for a rider; gives the order's key.
    pub(super) async fn order(&self, order: &CreateOrder) -> anyhow::Result<OrderId> {
        let url = format!("{}/orders/", self.root);
        let request = self.client.post(url).header("authorization", format!("Api-Key {API_KEY}")).json(order);
        Ok(succeeded(request.send().await?).await?.json::<Order>().await?.id)
    }

    /// How the order stands.
    pub(super) async fn show(&self, rider: &Member, order_id: OrderId) -> anyhow::Result<Order> {
        let url = format!("{}/orders/{order_id}/", self.root);
        let request = self.client.get(url).bearer_auth(&rider.token);
        Ok(succeeded(request.send().await?).await?.json().await?)
    }

    /// The rider cancels; `false` when it is too late.
    pub(super) async fn cancel(&self, rider: &Member, order_id: OrderId) -> anyhow::Result<bool> {
        self.post(rider, &format!("orders/{order_id}/cancel")).await
    }

    /// The driver takes a step of his trip; `false` when the order does not stand there.
    pub(super) async fn step(&self, driver: &Member, order_id: OrderId, step: Step) -> anyhow::Result<bool> {
        let step = serde_json::to_value(step)?;
        self.post(driver, &format!("driver/orders/{order_id}/{}", step.as_str().unwrap_or_default())).await
    }

    async fn post(&self, by: &Member, path: &str) -> anyhow::Result<bool> {
        let url = format!("{}/{path}/", self.root);
        let answer = self.client.post(url).bearer_auth(&by.token).json(&serde_json::json!({})).send().await?;
        if matches!(answer.status(), StatusCode::CONFLICT | StatusCode::NOT_FOUND) {
            return Ok(false);
        }
        succeeded(answer).await.map(|_| true)
    }
}

/// What a driver tells of his trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Step {
    Arrive,
    Start,
    Complete,
}

async fn succeeded(answer: Response) -> anyhow::Result<Response> {
    let (status, url) = (answer.status(), answer.url().path().to_owned());
    if status.is_success() {
        return Ok(answer);
    }
    let text = answer.text().await.context("an answer without its text")?;
    anyhow::bail!("{url} was answered {status}: {text}")
}
