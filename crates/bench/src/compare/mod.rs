//! HoloDrive beside what one could pick instead: the same work, in turns, on the same machine.

mod catalogue;
mod columns;
pub(crate) mod load;
pub(crate) mod machine;
mod peers;
mod report;
pub(crate) mod results;
mod sizes;
mod start;
mod targets;

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
};

use crate::{
    document,
    load::{Figures, Work, load_average},
    say,
    server::Place,
};
use catalogue::{Entry, SCENARIOS};
use machine::{Machine, version};
use peers::Peer;
use results::{Results, Server};
use sizes::Size;
use start::Ground;
use targets::Gate;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How often everything is measured, in turns [default: 5, quick: 1]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: Option<u32>,
    /// Only these servers
    #[arg(long, value_delimiter = ',')]
    peers: Vec<Peer>,
    /// Only these scenarios
    #[arg(long, value_delimiter = ',', value_parser = catalogue::names())]
    scenarios: Vec<String>,
    /// A short look at whether everything works; writes to `target/bench/quick` and not into the document
    #[arg(long)]
    quick: bool,
    /// Exit with status 1 unless every target of these scenarios is met
    #[arg(long)]
    check: bool,
    /// Only make tables and charts anew from the results that are there
    #[arg(long)]
    report: bool,
    /// Where `cargo xtask bench` has installed the other servers
    #[arg(long, default_value = "target/bench")]
    tools: PathBuf,
}

impl Args {
    const fn size(&self) -> Size {
        if self.quick { Size::Quick } else { Size::Full }
    }

    fn rounds(&self) -> u32 {
        self.rounds.unwrap_or(if self.quick { 1 } else { 5 })
    }

    fn entries(&self) -> impl Iterator<Item = &'static Entry> {
        SCENARIOS
            .iter()
            .filter(|entry| self.scenarios.is_empty() || self.scenarios.iter().any(|name| name == entry.name))
    }

    fn peers_of(&self, entry: &Entry) -> impl Iterator<Item = Peer> {
        entry.peers.iter().copied().filter(|peer| self.peers.is_empty() || self.peers.contains(peer))
    }

    fn folder(&self) -> PathBuf {
        if self.quick { self.tools.join("quick") } else { PathBuf::from(document::RESULTS) }
    }
}

/// Runs in the root of the repository.
pub(crate) async fn run(place: Place, args: Args) -> anyhow::Result<()> {
    let folder = args.folder();
    std::fs::create_dir_all(&folder)?;
    let (tools, sources) = (std::path::absolute(&args.tools)?, std::path::absolute("bench/peers")?);
    let ground = Ground { place, tools, sources };
    if !args.report {
        let mut all = begin(&ground, &args)?;
        for round in 1..=args.rounds() {
            for (entry, results) in &mut all {
                measure(&ground, &args, entry, results, round).await?;
                // A run that is stopped early has not been in vain.
                results.write(&folder)?;
            }
        }
    }
    if !args.quick {
        report::write(Path::new(document::PATH), &folder)?;
    }
    let gate = Gate::new(&report::read(&folder)?, &args.scenarios);
    say(&format!("\n{}", gate.table()))?;
    if args.check { gate.check() } else { Ok(()) }
}

fn begin(ground: &Ground, args: &Args) -> anyhow::Result<Vec<(&'static Entry, Results)>> {
    let words: Vec<_> = env::args().skip(2).take_while(|word| word != "--tools").collect();
    let mut all = Vec::new();
    for entry in args.entries() {
        let mut servers = BTreeMap::new();
        for peer in args.peers_of(entry) {
            servers.insert(peer.name(), Server { version: version(ground, peer)?, rounds: Vec::new() });
        }
        all.push((
            entry,
            Results {
                scenario: entry.name.to_owned(),
                command: format!("cargo xtask bench {}", words.join(" ")).trim().to_owned(),
                date: machine::now(),
                machine: Machine::this(&ground.place.dir)?,
                servers,
            },
        ));
    }
    Ok(all)
}

/// One round of one scenario: every server once. One that fails has no figures in it, and the others go on.
async fn measure(ground: &Ground, args: &Args, entry: &Entry, results: &mut Results, round: u32) -> anyhow::Result<()> {
    for peer in args.peers_of(entry) {
        let measured = measure_one(ground, peer, entry.work(args.size(), peer)).await;
        let told = match &measured {
            Ok(figures) => figures.iter().map(|(name, value)| format!("{name} {value}")).collect::<Vec<_>>().join(", "),
            Err(error) => format!("FAILED: {error:#}"),
        };
        say(&format!("round {round} {} {}: {told}", entry.name, peer.name()))?;
        if let Some(server) = results.servers.get_mut(&peer.name()) {
            server.rounds.push(measured.unwrap_or_default());
        }
    }
    Ok(())
}

async fn measure_one(ground: &Ground, peer: Peer, work: Work) -> anyhow::Result<Figures> {
    let (running, load) = (ground.start(peer, work).await?, load_average()?);
    let mut figures = tokio::task::block_in_place(|| work.run(&running.target))?;
    figures.set("load_average", load);
    Ok(figures)
}
