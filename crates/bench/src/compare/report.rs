//! The part of the document that is made from results.

use std::{collections::BTreeSet, fmt::Write, fs, path::Path};

use super::{
    catalogue::{Entry, SCENARIOS},
    columns::Column,
    peers::Peer,
    results::Results,
    targets::Gate,
};
use crate::{
    chart::bars::{self, Bar},
    document,
    numbers::{number, or_dash, ratio_number},
};

const COMMAND: &str = "cargo xtask bench";
const TARGETS: &str = "What HoloDrive must reach, with one event loop, in the medians of at least five rounds. A multiple is the median of the \
    ratios of each round. `--check` fails unless all of them are met.";

/// The results of all scenarios that have some.
pub(crate) fn read(folder: &Path) -> anyhow::Result<Vec<(&'static Entry, Results)>> {
    let mut all = Vec::new();
    for entry in SCENARIOS {
        all.extend(Results::read(folder, entry.name)?.map(|results| (entry, results)));
    }
    Ok(all)
}

/// Draws a chart for each scenario that has results, and puts tables and charts into the document.
pub(crate) fn write(document: &Path, folder: &Path) -> anyhow::Result<()> {
    let (name, all) = (folder.file_name().unwrap_or_default().to_string_lossy(), read(folder)?);
    let mut part = versions(&all);
    for (entry, results) in &all {
        fs::write(folder.join(format!("{}.svg", entry.name)), chart_of(entry, results))?;
        part.push_str(&section(entry, results, &name));
    }
    // Writing to a string does not fail.
    let _ = write!(part, "### Targets\n\n{TARGETS}\n\n{}", Gate::new(&all, &[]).table());
    document::replace(document, COMMAND, &part)
}

/// Those with results: the best first.
fn ranked<'a>(entry: &'a Entry, results: &Results) -> Vec<(&'a Peer, f64)> {
    let figure = entry.columns[0].0;
    let mut all: Vec<_> =
        entry.peers.iter().filter_map(|peer| Some((peer, results.median(&peer.name(), figure)?))).collect();
    all.sort_by(|(_, one), (_, other)| if entry.less_is_better { one.total_cmp(other) } else { other.total_cmp(one) });
    all
}

/// What ratios are made to: Bun, and where HoloDrive stores, first of all the one that stores as well.
fn yardsticks(entry: &Entry) -> Vec<Peer> {
    [Peer::BunSqlite, Peer::Bun].into_iter().filter(|peer| entry.peers.contains(peer)).collect()
}

fn chart_of(entry: &Entry, results: &Results) -> String {
    let ((figure, unit, digits), to) = (entry.columns[0], yardsticks(entry).first().copied());
    let bar = |(peer, value): (&Peer, f64)| Bar {
        label: peer.label().to_owned(),
        value,
        text: format!("{}{}", number(value, digits), ratio_text(results, *peer, to, figure)),
        own: peer.is_own(),
    };
    let bars: Vec<_> = ranked(entry, results).into_iter().map(bar).collect();
    let better = if entry.less_is_better { "less is better" } else { "more is better" };
    let ratio = to.map(|to| format!("; × is the ratio to {}", to.label())).unwrap_or_default();
    bars::draw(entry.title, &format!("{unit}; {better}{ratio}"), &bars)
}

fn ratio_text(results: &Results, peer: Peer, to: Option<Peer>, figure: &str) -> String {
    let to = to.filter(|to| peer != *to);
    let ratio = to.and_then(|to| results.ratio(&peer.name(), &to.name(), figure));
    ratio.map(|ratio| format!("  ({} ×)", ratio_number(ratio))).unwrap_or_default()
}

fn section(entry: &Entry, results: &Results, folder: &str) -> String {
    let mut text = format!("### {}\n\n{}\n\n", entry.title, entry.about);
    // Writing to a string does not fail.
    let _ = writeln!(text, "![{}]({folder}/{}.svg)\n\n{}", entry.title, entry.name, table(entry, results));
    let _ = writeln!(text, "{}\n", provenance(results));
    text
}

fn table(entry: &Entry, results: &Results) -> String {
    let (yardsticks, (main, _, digits)) = (yardsticks(entry), entry.columns[0]);
    let mut heads: Vec<_> = entry.columns.iter().map(|(_, head, _)| (*head).to_owned()).collect();
    heads.insert(1, "least – most".to_owned());
    heads.extend(yardsticks.iter().map(|to| format!("ratio to {}", to.label())));
    let mut text = format!("| server | {} |\n|---|{}\n", heads.join(" | "), "---:|".repeat(heads.len()));
    for (peer, _) in ranked(entry, results) {
        let mut cells: Vec<_> = entry.columns.iter().map(|column| cell(results, *peer, *column)).collect();
        let spread = results.spread(&peer.name(), main);
        cells.insert(
            1,
            or_dash(spread.map(|(least, most)| format!("{} – {}", number(least, digits), number(most, digits)))),
        );
        let ratio = |to: &Peer| or_dash(results.ratio(&peer.name(), &to.name(), main).map(ratio_number));
        cells.extend(yardsticks.iter().map(ratio));
        let name = if peer.is_own() { format!("**{}**", peer.label()) } else { peer.label().to_owned() };
        // Writing to a string does not fail.
        let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
    }
    text
}

fn cell(results: &Results, peer: Peer, (figure, _, digits): Column) -> String {
    or_dash(results.median(&peer.name(), figure).map(|value| number(value, digits)))
}

fn provenance(results: &Results) -> String {
    let rounds = results.servers.values().map(|server| server.rounds.len()).max().unwrap_or(0);
    let loads: Vec<_> = results.servers.keys().filter_map(|server| results.spread(server, "load_average")).collect();
    let calm = loads.iter().map(|(least, _)| *least).fold(f64::INFINITY, f64::min);
    let busy = loads.iter().map(|(_, most)| *most).fold(0.0, f64::max);
    let medians = if rounds == 1 { "One round".to_owned() } else { format!("Medians of {rounds} interleaved rounds") };
    let Results { date, command, machine, .. } = results;
    format!(
        "<sub>{medians}; {date}; `{command}`; durable 4 KiB: {}; load average {calm:.1} to {busy:.1}.</sub>",
        machine.disk
    )
}

/// Each version and each machine once.
fn versions(all: &[(&Entry, Results)]) -> String {
    let servers = |peer: &Peer| {
        let told = all.iter().filter_map(|(_, results)| results.servers.get(&peer.name()));
        told.map(|server| server.version.clone()).collect::<BTreeSet<_>>()
    };
    let peers = [Peer::Holodrive, Peer::Bun, Peer::Node, Peer::Daphne, Peer::Epoll];
    let machines: BTreeSet<_> = all.iter().map(|(_, results)| results.machine.describe()).collect();
    let versions = peers.iter().flat_map(servers).chain(machines);
    format!("Versions and machine: {}.\n\n", versions.collect::<Vec<_>>().join("; "))
}
