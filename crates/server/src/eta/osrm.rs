//! OSRM's HTTP API: `GET /table/v1/{profile}/{lon},{lat};{lon},{lat}?sources=0&destinations=1&annotations=duration`.
//! See <https://project-osrm.org/docs/v5.24.0/api/#table-service>.

use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::{Client, Response, Url, redirect::Policy};
use serde::Deserialize;

use super::{NoTravelTime, SetupError, TravelTimes};
use crate::dispatch::Point;

/// One duration with its waypoints takes far less.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// Connections that are kept open while nothing is asked.
const IDLE_CONNECTIONS: usize = 8;

/// A server of OSRM.
pub(super) struct Osrm {
    http: Client,
    /// The table service of the profile, ending in a slash.
    table: Url,
    limit: Duration,
}

/// What it answers, success or not.
#[derive(Deserialize)]
struct Answer {
    code: String,
    #[serde(default)]
    message: String,
    /// Seconds, for each source a row; null where no road leads.
    #[serde(default)]
    durations: Vec<Vec<Option<f64>>>,
}

impl Osrm {
    pub(super) fn new(url: &str, profile: &str, limit: Duration) -> Result<Self, SetupError> {
        let base = Url::parse(url).map_err(|error| SetupError(format!("it is not an address: {error}")))?;
        let table = format!("{}/table/v1/{profile}/", base.path().trim_end_matches('/'));
        let mut address = base;
        address.set_path(&table);
        address.set_query(None);
        let builder = Client::builder().redirect(Policy::none()).no_proxy().pool_max_idle_per_host(IDLE_CONNECTIONS);
        let http = builder.build().map_err(|error| SetupError(format!("it cannot be asked: {error}")))?;
        Ok(Self { http, table: address, limit })
    }

    async fn ask(&self, from: Point, to: Point) -> Result<Duration, NoTravelTime> {
        let mut address = self.table.clone();
        // OSRM has the longitude first.
        let places = [from, to].map(|place| format!("{},{}", place.longitude, place.latitude));
        address.set_path(&format!("{}{}", self.table.path(), places.join(";")));
        address.set_query(Some("sources=0&destinations=1&annotations=duration"));
        let response = self.http.get(address).timeout(self.limit).send().await.map_err(failed)?;
        let status = response.status();
        let body = body(response).await?;
        let answer: Answer = serde_json::from_slice(&body)
            .map_err(|_| NoTravelTime::Failed(format!("it answers {status}, and not as OSRM does")))?;
        answer.duration()
    }
}

impl TravelTimes for Osrm {
    fn travel_time(&self, from: Point, to: Point) -> BoxFuture<'_, Result<Duration, NoTravelTime>> {
        Box::pin(self.ask(from, to))
    }
}

impl Answer {
    fn duration(self) -> Result<Duration, NoTravelTime> {
        match self.code.as_str() {
            "Ok" => {}
            "NoSegment" | "NoTable" | "NoRoute" => return Err(NoTravelTime::NoRoute),
            code => return Err(NoTravelTime::Failed(format!("{code}: {}", self.message))),
        }
        let odd = || NoTravelTime::Failed("its answer has no duration".to_owned());
        let seconds = self.durations.first().and_then(|row| row.first()).ok_or_else(odd)?;
        Duration::try_from_secs_f64(seconds.ok_or(NoTravelTime::NoRoute)?).map_err(|_| odd())
    }
}

/// An address may hold a password.
fn failed(error: reqwest::Error) -> NoTravelTime {
    NoTravelTime::Failed(format!("{:#}", anyhow::Error::new(error.without_url())))
}

async fn body(mut response: Response) -> Result<Vec<u8>, NoTravelTime> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        body.extend_from_slice(&chunk);
        if body.len() > MAX_ANSWER_BYTES {
            return Err(NoTravelTime::Failed("its answer is too long".to_owned()));
        }
    }
    Ok(body)
}
