//! All connections are cut at once, as when a network fails, and all come back.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use super::{
    crew::{LOOK_EVERY, Schedule, Work},
    lines::Lines,
};
use crate::latencies::Latencies;

pub(crate) struct Storm {
    cut: Instant,
    /// From the cut to the new `connection_established`, the wait for the others included.
    pub(crate) waits: Latencies,
    done: Arc<AtomicBool>,
}

impl Storm {
    /// `done` ends it.
    pub(crate) fn new(done: Arc<AtomicBool>) -> anyhow::Result<Self> {
        Ok(Self { cut: Instant::now(), waits: Latencies::new()?, done })
    }
}

impl Work for Storm {
    fn begin(&mut self, lines: &mut Lines, _: Schedule) {
        self.cut = Instant::now();
        (0..lines.len()).for_each(|id| lines.net.cut(id));
        (0..lines.len()).for_each(|id| lines.open(id));
    }

    fn text(&mut self, _: &mut Lines, _: usize, _: &[u8], _: Instant) {}

    fn opened(&mut self, _: &mut Lines, _: usize, now: Instant) {
        // A wait that the histogram cannot hold would be longer than any run.
        let _ = self.waits.record(now - self.cut);
    }

    fn turn(&mut self, _: &mut Lines, now: Instant) -> Option<Instant> {
        (!self.done.load(Ordering::Relaxed)).then(|| now + LOOK_EVERY)
    }
}
