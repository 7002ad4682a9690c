//! One client that connects, leaves and connects again, as long as the work goes on.

use std::time::Instant;

use super::{
    crew::{Schedule, Work},
    lines::Lines,
};

/// How long its connects take is in the handshakes of its lines.
pub(crate) struct Fresh {
    until: Instant,
}

impl Fresh {
    pub(crate) fn new() -> Self {
        Self { until: Instant::now() }
    }
}

impl Work for Fresh {
    fn begin(&mut self, lines: &mut Lines, schedule: Schedule) {
        self.until = schedule.to;
        self.opened(lines, 0, Instant::now());
    }

    fn text(&mut self, _: &mut Lines, _: usize, _: &[u8], _: Instant) {}

    fn opened(&mut self, lines: &mut Lines, id: usize, _: Instant) {
        lines.net.cut(id);
        lines.open(id);
        lines.open_next();
    }

    fn turn(&mut self, _: &mut Lines, now: Instant) -> Option<Instant> {
        (now < self.until).then_some(self.until)
    }
}
