//! Waiting, with a line on the terminal that tells how far it is.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use tokio::time::{Instant, interval};

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Characters of a bar.
const BAR: usize = 30;

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

/// How far something long is: a bar on a terminal, and elsewhere a line for each tenth.
pub(crate) struct Bar {
    what: &'static str,
    goal: usize,
    tenths: usize,
}

impl Bar {
    pub(crate) const fn new(what: &'static str, goal: usize) -> Self {
        Self { what, goal, tenths: 0 }
    }

    /// `more` stands behind the bar.
    pub(crate) fn show(&mut self, count: usize, more: &str) {
        let (what, goal, mut terminal) = (self.what, self.goal, io::stderr());
        let tenths = part(count, goal, 10);
        if terminal.is_terminal() {
            let (full, end) = (part(count, goal, BAR), if tenths == 10 { "\n" } else { "" });
            let bar = "#".repeat(full) + &"-".repeat(BAR - full);
            let _ = write!(terminal, "\r{what} [{bar}] {count} of {goal}; {more}\x1b[K{end}");
        } else if tenths > self.tenths {
            let _ = writeln!(terminal, "{what}: {count} of {goal}; {more}");
        }
        self.tenths = tenths;
        let _ = terminal.flush();
    }
}

/// How many of `parts` are done.
fn part(count: usize, goal: usize, parts: usize) -> usize {
    (count.min(goal) * parts).checked_div(goal).unwrap_or(parts)
}

#[cfg(test)]
mod tests {
    use super::part;

    #[test]
    fn a_bar_is_full_at_its_goal_and_not_before() {
        assert_eq!((part(0, 7, 10), part(6, 7, 10), part(7, 7, 10), part(9, 7, 10)), (0, 8, 10, 10));
        assert_eq!(part(0, 0, 10), 10);
    }
}
