//! `{"type":"ping"}` and its `pong`, one under way on each connection.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use super::{
    crew::{Schedule, Work},
    handshake::find,
    lines::Lines,
};
use crate::latencies::Latencies;

const PING: &[u8] = br#"{"type":"ping"}"#;

pub(crate) struct Pings {
    sent: Vec<Instant>,
    schedule: Option<Schedule>,
    pub(crate) latencies: Latencies,
    units: Arc<AtomicU64>,
}

impl Pings {
    /// `units` is told of each answer.
    pub(crate) fn new(units: Arc<AtomicU64>) -> anyhow::Result<Self> {
        Ok(Self { sent: Vec::new(), schedule: None, latencies: Latencies::new()?, units })
    }
}

impl Work for Pings {
    fn begin(&mut self, lines: &mut Lines, schedule: Schedule) {
        self.schedule = Some(schedule);
        self.sent = vec![Instant::now(); lines.len()];
        (0..lines.len()).for_each(|id| lines.send(id, PING));
    }

    fn text(&mut self, lines: &mut Lines, id: usize, text: &[u8], now: Instant) {
        if find(text, b"\"pong\"").is_none() {
            return;
        }
        self.units.fetch_add(1, Ordering::Relaxed);
        if self.schedule.is_some_and(|schedule| schedule.holds(self.sent[id])) {
            // A latency that the histogram cannot hold would be longer than any run.
            let _ = self.latencies.record(now - self.sent[id]);
        }
        self.sent[id] = Instant::now();
        lines.send(id, PING);
    }

    fn turn(&mut self, _: &mut Lines, now: Instant) -> Option<Instant> {
        self.schedule.map(|schedule| schedule.to).filter(|end| now < *end)
    }
}
