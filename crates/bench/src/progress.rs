//! Waiting, with a line on the terminal that tells how far it is.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use tokio::time::{Instant, interval};

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Waits until `done` has reached `goal`, but not longer than `limit`; tells whether it has.
pub(crate) async fn wait_for(what: &str, goal: usize, limit: Duration, done: impl Fn() -> usize) -> bool {
    let (end, mut ticks) = (Instant::now() + limit, interval(LOOK_EVERY));
    while Instant::now() < end {
        ticks.tick().await;
        let count = done();
        show(what, count, goal);
        if count >= goal {
            return true;
        }
    }
    false
}

/// Shows how far something is; nothing where nobody looks.
pub(crate) fn show(what: &str, count: usize, goal: usize) {
    let mut terminal = io::stderr();
    if terminal.is_terminal() {
        let end = if count >= goal { "\n" } else { "" };
        let _ = write!(terminal, "\r{what}: {count} of {goal}\x1b[K{end}");
        let _ = terminal.flush();
    }
}
