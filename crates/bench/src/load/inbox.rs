//! Notifications that a back end posts over HTTP, and their arrival at the users' sockets.

use std::{
    collections::HashSet,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    crew::{LOOK_EVERY, Schedule, Work},
    lines::Lines,
    text::digits_after,
};
use crate::{latencies::Latencies, site::API_KEY};

/// How long to wait for what is missing at the end.
const DRAIN: Duration = Duration::from_secs(2);

/// The users' sockets.
pub(crate) struct Inbox {
    schedule: Option<Schedule>,
    seen: HashSet<usize>,
    pub(crate) unexpected: u64,
    /// From the moment at which a post began to the arrival at its user.
    pub(crate) latencies: Latencies,
    units: Arc<AtomicU64>,
}

impl Inbox {
    /// `units` is told of arrivals as they come.
    pub(crate) fn new(units: Arc<AtomicU64>) -> anyhow::Result<Self> {
        Ok(Self { schedule: None, seen: HashSet::new(), unexpected: 0, latencies: Latencies::new()?, units })
    }

    pub(crate) fn arrived(&self) -> u64 {
        self.seen.len() as u64
    }
}

impl Work for Inbox {
    fn begin(&mut self, _: &mut Lines, schedule: Schedule) {
        self.schedule = Some(schedule);
    }

    fn text(&mut self, _: &mut Lines, _: usize, text: &[u8], now: Instant) {
        let (Some(schedule), Some(number)) = (self.schedule, digits_after(text, b"\"#")) else { return };
        if !self.seen.insert(number) {
            self.unexpected += 1;
            return;
        }
        self.units.fetch_add(1, Ordering::Relaxed);
        let posted = digits_after(text, b"at ").and_then(|micros| u64::try_from(micros).ok());
        let posted = posted.map(|micros| schedule.begin + Duration::from_micros(micros));
        if let Some(posted) = posted.filter(|posted| schedule.holds(*posted)) {
            // A latency that the histogram cannot hold would be longer than any run.
            let _ = self.latencies.record(now.saturating_duration_since(posted));
        }
    }

    fn turn(&mut self, _: &mut Lines, now: Instant) -> Option<Instant> {
        let end = self.schedule?.to + DRAIN;
        (now < end).then_some(now + LOOK_EVERY)
    }
}

/// A back end: posts one notification after another until the time is over; tells how many were accepted.
pub(crate) async fn post(
    address: SocketAddr,
    users: usize,
    next: Arc<AtomicU64>,
    schedule: Schedule,
) -> anyhow::Result<u64> {
    let (client, mut accepted) = (reqwest::Client::new(), 0);
    while Instant::now() < schedule.to {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let at = schedule.begin.elapsed().as_micros();
        let notification = serde_json::json!({
            "user_id": number % users as u64 + 1, "title": format!("#{number}# at {at}"),
            "message": "Your driver is around the corner", "notification_type": "order_arrived",
        });
        let request = client.post(format!("http://{address}/api/notifications/"));
        let request = request.header("authorization", format!("Api-Key {API_KEY}")).json(&notification);
        request.send().await?.error_for_status()?.bytes().await?;
        accepted += 1;
    }
    Ok(accepted)
}
