//! Connections on which nothing happens.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    crew::{Schedule, Work},
    lines::Lines,
};

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Holds its connections, and answers the server's pings, until it is told to let go of them.
pub(crate) struct Quiet(pub(crate) Arc<AtomicBool>);

impl Work for Quiet {
    fn begin(&mut self, _: &mut Lines, _: Schedule) {}

    fn text(&mut self, _: &mut Lines, _: usize, _: &[u8], _: Instant) {}

    fn turn(&mut self, _: &mut Lines, now: Instant) -> Option<Instant> {
        (!self.0.load(Ordering::Relaxed)).then(|| now + LOOK_EVERY)
    }
}
