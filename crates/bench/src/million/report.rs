//! The section of the document on a million connections.

use std::{fmt::Write, path::Path};

use anyhow::Context;

use super::{
    SCENARIO, SERVER,
    needs::{KIB_OF_A_GIB, LARGEST_TABLE, Needs},
};
use crate::{
    compare::results::Results,
    document,
    load::Figures,
    numbers::{number, or_dash},
};

const COMMAND: &str = "cargo xtask million";
const MANY: f64 = 10_000_000.0;

/// Puts the section into the document.
pub(super) fn write() -> anyhow::Result<()> {
    let results =
        Results::read(Path::new(document::RESULTS), SCENARIO)?.context("there are no figures yet: --record")?;
    let section = section(&results).context("figures are missing: measure with --record")?;
    document::replace(Path::new(document::PATH), COMMAND, &section)
}

/// The measured figures, and what ten times a million would need. None where a figure is missing.
pub(super) fn section(results: &Results) -> Option<String> {
    let server = results.servers.get(SERVER)?;
    let figures = server.rounds.first()?;
    let Results { date, command, machine, .. } = results;
    let sources = format!(
        "<sub>One run; {date}; `{command}`; {}; {}; load average {} before it.</sub>",
        server.version,
        machine.describe(),
        or_dash(figures.get("load_average").map(|load| number(load, 1))),
    );
    Some(format!("{}\n{}\n{sources}\n", measured(figures)?, extrapolated(figures)?))
}

/// Figures as they stand in the table; none where one is missing.
struct Told<'a>(&'a Figures);

impl Told<'_> {
    fn count(&self, name: &str) -> Option<String> {
        self.digits(name, 0)
    }

    fn digits(&self, name: &str, digits: usize) -> Option<String> {
        self.0.get(name).map(|value| number(value, digits))
    }

    fn gib(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|mib| number(mib / 1_024.0, 2))
    }
}

/// What was measured, and what came out.
type Row = (&'static str, String);

fn measured(figures: &Figures) -> Option<String> {
    let told = Told(figures);
    let rows = [opening(&told)?.as_slice(), &memory(&told)?, &ending(&told)?].concat();
    let mut text = "| | measured |\n|---|---|\n".to_owned();
    for (name, value) in rows {
        // Writing to a string does not fail.
        let _ = writeln!(text, "| {name} | {value} |");
    }
    Some(text)
}

fn opening(told: &Told<'_>) -> Option<[Row; 4]> {
    let (seconds, rate, cpu_rate) = (told.count("opening_s")?, told.count("per_s")?, told.count("per_cpu_s")?);
    let (p50, p99, max) = (told.digits("p50_ms", 1)?, told.digits("p99_ms", 1)?, told.count("max_ms")?);
    Some([
        ("connections held", told.count("connections")?),
        ("refused, lost", format!("{}, {}", told.count("refused")?, told.count("lost")?)),
        ("opened", format!("in {seconds} s: {rate} a second, {cpu_rate} for each CPU s of the server")),
        (
            "handshake, from the first packet to `connection_established`",
            format!("p50 {p50} ms, p99 {p99} ms, at most {max} ms"),
        ),
    ])
}

fn memory(told: &Told<'_>) -> Option<[Row; 3]> {
    let [server, client] = ["server", "client"]
        .map(|end| told.digits(&format!("{end}_kib_per_connection"), 2).zip(told.gib(&format!("{end}_mib"))));
    let ((server_each, server), (client_each, client)) = (server?, client?);
    Some([
        (
            "**the server's memory** (PSS), one process",
            format!("{server} GiB; it grew by **{server_each} KiB for a connection**"),
        ),
        ("the load generator's memory (PSS), one process", format!("{client} GiB; {client_each} KiB for a connection")),
        ("the kernel's memory for both ends", kernel(told.0)?),
    ])
}

fn ending(told: &Told<'_>) -> Option<[Row; 4]> {
    let (server, client) = (told.digits("held_server_cores", 2)?, told.digits("held_client_cores", 2)?);
    let (held, closing) = (told.count("held_s")?, told.digits("closing_s", 1)?);
    let (loops, threads, table) = (told.count("event_loops")?, told.count("client_threads")?, told.count("table")?);
    Some([
        (
            "held",
            format!(
                "{held} s, with {server} cores of the server and {client} of the load generator for heartbeats and looking after users"
            ),
        ),
        (
            "closed, until the kernel had freed both ends",
            format!("{closing} s, {} CPU s of the server", told.digits("closing_server_cpu_s", 1)?),
        ),
        (
            "the server's memory 10 s later",
            format!("{} KiB for a connection still there", told.digits("kib_kept_per_connection", 2)?),
        ),
        (
            "event loops of the server, threads of the load generator",
            format!("{loops}, {threads}, each with a descriptor table of {table} connections"),
        ),
    ])
}

/// The sockets' own caches where they are known, and all caches together.
fn kernel(figures: &Figures) -> Option<String> {
    let own = figures.get("kernel_kib_per_pair").map(|kib| number(kib, 2));
    let caches = figures.iter().filter_map(|(name, mib)| {
        let cache = name.strip_prefix("cache_")?.strip_suffix("_mib")?;
        Some(format!("`{cache}` {}", number(mib * 1_024.0 / figures.get("connections")?, 2)))
    });
    Some(format!(
        "{} GiB of slabs ({} KiB for a pair); of them the sockets' own {} KiB; KiB for a pair: {}; in TCP's buffers {} MiB",
        number(figures.get("slab_grown_mib")? / 1_024.0, 2),
        number(figures.get("slab_kib_per_connection")?, 2),
        or_dash(own),
        caches.collect::<Vec<_>>().join(", "),
        number(figures.get("tcp_buffers_mib")?, 0),
    ))
}

/// What the server's machine needs for ten million.
fn extrapolated(figures: &Figures) -> Option<String> {
    let (one, ten) = (Needs::of(figures, figures.get("connections")?)?, Needs::of(figures, MANY)?);
    let mut text = format!(
        "What the server's machine needs when the other ends are elsewhere, extrapolated in proportion from the figures above. \
         Ten million were not run: that needs more than {} GiB of memory with both ends on one machine.\n\n\
         | for connections | {} | {} |\n|---|---:|---:|\n",
        number(both_ends_gib(figures)?, 0),
        number(one.connections, 0),
        number(ten.connections, 0),
    );
    for (name, need, digits, unit) in NEEDS {
        let [one, ten] = [&one, &ten].map(|needs| format!("{}{unit}", number(need(needs), *digits)));
        // Writing to a string does not fail.
        let _ = writeln!(text, "| {name} | {one} | {ten} |");
    }
    let _ = writeln!(text, "\nA limit on open files of {} was taken for the highest one.", number(LARGEST_TABLE, 0));
    Some(text)
}

/// What each row tells, with so many digits behind the point, and its unit.
type Need = (&'static str, fn(&Needs) -> f64, usize, &'static str);

const NEEDS: &[Need] = &[
    ("memory of the server", |needs| needs.server_gib, 1, " GiB"),
    ("memory of the kernel, half of what both ends took", |needs| needs.kernel_gib, 1, " GiB"),
    ("**both**", Needs::memory_gib, 1, " GiB"),
    ("where a firewall follows connections (`nf_conntrack`), besides", |needs| needs.tracked_gib, 1, " GiB"),
    (
        "descriptors (`fs.file-max`), entries of epoll (`fs.epoll.max_user_watches`), of `nf_conntrack_max`",
        |needs| needs.connections,
        0,
        "",
    ),
    ("`EVENT_LOOPS` with the limit on open files of this machine", |needs| needs.loops, 0, ""),
    ("`EVENT_LOOPS` with the highest limit that Linux comes with (`fs.nr_open`)", |needs| needs.fewest_loops, 0, ""),
    (
        "addresses of clients, or of the server, where each pair of them has 64,512 ports",
        |needs| needs.addresses,
        0,
        "",
    ),
    ("pings a second, and as many pongs, at the default `HEARTBEAT_INTERVAL`", |needs| needs.pings_per_s, 0, ""),
    (
        "cores of the server for heartbeats and looking after users, as often as in this run",
        |needs| needs.quiet_cores,
        1,
        "",
    ),
    ("CPU seconds of the server to let all in again", |needs| needs.opening_cpu_s, 0, ""),
];

/// Memory for [`MANY`] connections with both ends, the load generator included.
fn both_ends_gib(figures: &Figures) -> Option<f64> {
    let each = ["server", "client", "slab"].map(|part| figures.get(&format!("{part}_kib_per_connection")));
    Some(each.into_iter().sum::<Option<f64>>()? * MANY / KIB_OF_A_GIB)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_figure_that_is_missing_is_no_section() {
        assert_eq!(measured(&Figures::default()), None);
        assert_eq!(extrapolated(&Figures::default()), None);
    }

    #[test]
    fn caches_are_told_for_each_pair() {
        let mut figures = Figures::default();
        for (name, value) in [("connections", 1_024.0), ("cache_TCP_mib", 5.0), ("slab_grown_mib", 9.0)] {
            figures.set(name, value);
        }
        for (name, value) in [("slab_kib_per_connection", 9.0), ("tcp_buffers_mib", 0.0)] {
            figures.set(name, value);
        }
        let text = kernel(&figures).unwrap();
        assert!(
            text.contains("`TCP` 5.00") && text.contains("(9.00 KiB for a pair)") && text.contains("own – KiB"),
            "{text}"
        );
    }
}
