//! Clients that connect one after another by the clock, whatever the server does.

use std::time::{Duration, Instant};

use super::{
    crew::{Schedule, Work},
    lines::Lines,
};
use crate::latencies::Latencies;

const EVERY: Duration = Duration::from_millis(10);

/// Each of its connections is cut at the beginning, and comes back when its turn is.
pub(crate) struct Fresh {
    schedule: Option<Schedule>,
    next: usize,
    /// From the moment at which a connect was due to `connection_established`.
    pub(crate) waits: Latencies,
}

impl Fresh {
    /// Clients for so long a time.
    pub(crate) fn clients(time: Duration) -> usize {
        usize::try_from(time.as_millis() / EVERY.as_millis()).unwrap_or(usize::MAX)
    }

    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self { schedule: None, next: 0, waits: Latencies::new()? })
    }
}

fn due(schedule: Schedule, id: usize) -> Instant {
    schedule.begin + EVERY * u32::try_from(id).unwrap_or(u32::MAX)
}

impl Work for Fresh {
    fn begin(&mut self, lines: &mut Lines, schedule: Schedule) {
        self.schedule = Some(schedule);
        (0..lines.len()).for_each(|id| lines.net.cut(id));
    }

    fn text(&mut self, _: &mut Lines, _: usize, _: &[u8], _: Instant) {}

    fn opened(&mut self, _: &mut Lines, id: usize, now: Instant) {
        if let Some(schedule) = self.schedule {
            // A wait that the histogram cannot hold would be longer than any run.
            let _ = self.waits.record(now.saturating_duration_since(due(schedule, id)));
        }
    }

    fn turn(&mut self, lines: &mut Lines, now: Instant) -> Option<Instant> {
        let schedule = self.schedule?;
        while self.next < lines.len() && due(schedule, self.next) <= now {
            lines.open(self.next);
            self.next += 1;
        }
        lines.open_next();
        let waiting = self.next < lines.len() || !lines.settled();
        (waiting && now < schedule.to).then(|| due(schedule, self.next).min(schedule.to).max(now + EVERY / 10))
    }
}
