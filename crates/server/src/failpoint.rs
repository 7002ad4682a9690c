//! Named stops for crash tests, where dying hurts most. Only with the feature `failpoints`, never part of a release.
//!
//! The environment variable `HOLODRIVE_FAILPOINT=NAME` or `NAME:N` chooses one: its first or N-th pass goes no further,
//! and a moment later the process ends, with nothing unwound or flushed. A name that does not exist is never passed.
//!
//! | name | between |
//! |---|---|
//! | `writer.before_commit` | the writes of a transaction, and its commit |
//! | `writer.after_commit` | the commit, and what is published of it |
//! | `writer.before_acknowledge` | what is published, and the answers to those who wrote |

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

const VARIABLE: &str = "HOLODRIVE_FAILPOINT";
/// How long the other threads go on: a client hears what was told too early, and a test finds out.
const LAST_WORDS: Duration = Duration::from_millis(100);

struct Failpoint {
    name: String,
    passes_left: AtomicU64,
}

static CHOSEN: LazyLock<Option<Failpoint>> = LazyLock::new(|| parse(&std::env::var(VARIABLE).ok()?));

fn parse(chosen: &str) -> Option<Failpoint> {
    let (name, passes) = chosen.split_once(':').unwrap_or((chosen, "1"));
    Some(Failpoint { name: name.to_owned(), passes_left: AtomicU64::new(passes.parse().ok()?) })
}

/// Ends the process if this is the chosen pass of the chosen failpoint.
pub(crate) fn pass(name: &str) {
    let chosen = CHOSEN.as_ref().filter(|failpoint| failpoint.name == name);
    if chosen.is_some_and(|failpoint| failpoint.passes_left.fetch_sub(1, Ordering::Relaxed) == 1) {
        thread::sleep(LAST_WORDS);
        std::process::abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(chosen: &str) -> Option<(String, u64)> {
        parse(chosen).map(|failpoint| (failpoint.name, failpoint.passes_left.into_inner()))
    }

    #[test]
    fn the_pass_is_the_first_unless_it_is_named() {
        assert_eq!(parsed("writer.after_commit"), Some(("writer.after_commit".to_owned(), 1)));
        assert_eq!(parsed("writer.after_commit:7"), Some(("writer.after_commit".to_owned(), 7)));
        assert_eq!(parsed("writer.after_commit:soon"), None);
    }
}
