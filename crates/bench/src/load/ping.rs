//! `{"type":"ping"}` and its `pong`, one under way on each connection; or positions, and a `ping` behind them whose answer
//! tells that they were taken.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use super::{
    crew::{Schedule, Work},
    lines::Lines,
    text::find,
};
use crate::latencies::Latencies;

const PING: &[u8] = br#"{"type":"ping"}"#;

pub(crate) struct Pings {
    /// Positions before each ping.
    positions: usize,
    sent: Vec<Instant>,
    schedule: Option<Schedule>,
    pub(crate) latencies: Latencies,
    units: Arc<AtomicU64>,
}

impl Pings {
    /// `units` is told of each answer, or of the positions that it answers.
    pub(crate) fn new(positions: usize, units: Arc<AtomicU64>) -> anyhow::Result<Self> {
        Ok(Self { positions, sent: Vec::new(), schedule: None, latencies: Latencies::new()?, units })
    }

    fn ask(&mut self, lines: &mut Lines, id: usize) {
        self.sent[id] = Instant::now();
        for number in 0..self.positions {
            // Some metres further each time, in a city of about 20 km.
            let (latitude, longitude) = (id % 200 * 1_000 + number, id / 200 % 200 * 1_000 + number);
            let text = format!(r#"{{"type":"location","latitude":41.{latitude:06},"longitude":69.{longitude:06}}}"#);
            lines.send(id, text.as_bytes());
        }
        lines.send(id, PING);
    }
}

impl Work for Pings {
    fn begin(&mut self, lines: &mut Lines, schedule: Schedule) {
        self.schedule = Some(schedule);
        self.sent = vec![Instant::now(); lines.len()];
        (0..lines.len()).for_each(|id| self.ask(lines, id));
    }

    fn text(&mut self, lines: &mut Lines, id: usize, text: &[u8], now: Instant) {
        if find(text, b"\"pong\"").is_none() {
            return;
        }
        self.units.fetch_add(self.positions.max(1) as u64, Ordering::Relaxed);
        if self.schedule.is_some_and(|schedule| schedule.holds(self.sent[id])) {
            // A latency that the histogram cannot hold would be longer than any run.
            let _ = self.latencies.record(now - self.sent[id]);
        }
        self.ask(lines, id);
    }

    fn turn(&mut self, _: &mut Lines, now: Instant) -> Option<Instant> {
        self.schedule.map(|schedule| schedule.to).filter(|end| now < *end)
    }
}
