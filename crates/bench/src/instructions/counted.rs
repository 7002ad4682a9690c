//! One run of the server under valgrind's callgrind.

use std::{env, fs, path::Path, process::Command};

use anyhow::Context;

use super::work::{self, Amounts};
use crate::{
    server::{Place, Server},
    site::Site,
};

/// Where callgrind writes, in the folder of the run.
const OUTPUT: &str = "callgrind.out";
/// A setting of tokio, not of the server.
const RUNTIME_THREADS: &str = "TOKIO_WORKER_THREADS";

/// One thread of each kind, whatever the machine has, since who wakes whom takes instructions too; limits that count but do
/// not stop the work; and nothing by the clock that could fall into one run and not into the other.
const SETTINGS: [(&str, &str); 5] = [
    ("EVENT_LOOPS", "1"),
    ("MESSAGE_RATE", "1000000"),
    ("MESSAGE_BURST", "1000000"),
    ("HEARTBEAT_INTERVAL", "86400"),
    ("RECHECK_INTERVAL", "86400"),
];

/// Instructions of the whole process in user mode, from its start to its end, when it is given this work.
pub(super) async fn run(place: &Place, amounts: Amounts) -> anyhow::Result<u64> {
    let site = Site::prepare(place, &SETTINGS.map(|(name, value)| (name, value.to_owned())))?;
    let crowd = work::Crowd::join(&site).await?;
    let output = site.folder().join(OUTPUT);
    let hint = "valgrind must be installed (Debian: `apt-get install valgrind`)";
    let server = Server::start_under(callgrind(&output), place, &site).context(hint)?;
    crowd.work(server.address(), amounts).await?;
    server.stop()?;
    total(&fs::read_to_string(&output).context("callgrind wrote nothing")?)
}

fn callgrind(output: &Path) -> Command {
    let mut command = Command::new("valgrind");
    command.args(["--quiet", "--tool=callgrind"]).arg(format!("--callgrind-out-file={}", output.display()));
    command.env("PATH", env::var_os("PATH").unwrap_or_default()).env(RUNTIME_THREADS, "1");
    command
}

/// The line `totals: N` at the end.
fn total(output: &str) -> anyhow::Result<u64> {
    let found = output.lines().rev().find_map(|line| line.strip_prefix("totals:"));
    found.and_then(|number| number.trim().parse().ok()).context("callgrind's output has no total")
}

#[cfg(test)]
mod tests {
    use super::total;

    #[test]
    fn the_total_is_the_last_word() {
        assert_eq!(total("events: Ir\nsummary: 70\n\nfn=(1) totals: 3\n\ntotals: 71\n").ok(), Some(71));
        assert!(total("events: Ir\nsummary: 70\n").is_err());
    }
}
