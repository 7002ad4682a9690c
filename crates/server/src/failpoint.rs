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
//! | `orders.offer_made` | an offer in the transaction, and its commit |
//! | `orders.offer_committed` | its commit, and the dispatcher's board, the driver and the rider learning of it |
//! | `orders.accepted` | an accepted offer with its conversation in the transaction, and its commit |
//! | `orders.accept_committed` | its commit, and board, driver and rider learning of it |
//! | `orders.swept` | the end of an overdue offer in the transaction, and its commit |
//! | `orders.sweep_committed` | its commit, and board, driver and rider learning of it |
//!
//! A test below holds the table against the program text; the crash test takes its names from the table.

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
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    /// What stands between `before` and `after`, on all lines that have both.
    fn between(text: &str, before: &str, after: &str) -> BTreeSet<String> {
        text.lines().filter_map(|line| Some(line.split_once(before)?.1.split_once(after)?.0.to_owned())).collect()
    }

    fn passed(folder: &Path) -> BTreeSet<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let stops = |path: &Path| between(&fs::read_to_string(path).unwrap(), "failpoint::pass(\"", "\")");
        let others = entries.filter(|path| !path.ends_with("failpoint.rs"));
        others.flat_map(|path| if path.is_dir() { passed(&path) } else { stops(&path) }).collect()
    }

    #[test]
    fn the_table_names_every_stop_of_the_program_and_no_other() {
        let (introduction, _) = include_str!("failpoint.rs").split_once("use ").unwrap();
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        assert_eq!(between(introduction, "| `", "` |"), passed(&program));
    }

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
