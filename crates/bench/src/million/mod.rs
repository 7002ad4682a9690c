//! As many connections as the machine can hold at once: both ends of each are here, and nothing happens on them but
//! heartbeats.

mod crowd;
mod kernel_settings;
mod needs;
mod plan;
mod report;

use std::{
    env,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context;

use crate::{
    compare::{
        machine::{self, Machine},
        results::{Results, Server as Measured},
    },
    document,
    load::{Figures, Observed, Target, available_kib, load_average},
    process::connections_at_most,
    say,
    server::{Place, Server},
    site::Site,
};
use crowd::Crowd;
use plan::Plan;

/// The name of the results, and of the server in them.
const SCENARIO: &str = "million";
const SERVER: &str = "holodrive";
/// Handshakes under way at once: no more than wait in a queue of 128, the usual length, without being dropped.
const WIDTH: usize = 128;
/// What a connection takes on this machine at the most: both ends in the kernel, the server, and the load generator.
const EXPECTED_KIB: u64 = 11;
/// Settings of the server that are not what they are by default: with both ends on one small machine, heartbeats and looking
/// after users every few seconds would be what is measured.
const SETTINGS: [(&str, &str); 3] =
    [("HEARTBEAT_INTERVAL", "60"), ("HEARTBEAT_TIMEOUT", "30"), ("RECHECK_INTERVAL", "60")];
const KIB_OF_A_GIB: u64 = 1_024 * 1_024;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Connections, each of another user
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    connections: u32,
    /// Seconds to hold all of them; a heartbeat of each, and more
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    hold: u32,
    /// Give up when fewer GiB of memory are left
    #[arg(long, default_value_t = 2, value_name = "GIB")]
    keep_free: u64,
    /// Raise settings of the kernel that are too low, as root, and set them back afterwards
    #[arg(long)]
    raise_limits: bool,
    /// Another setting of the server; can be given several times
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,
    /// Write the figures into docs/benchmarks.md; runs in the root of the repository
    #[arg(long)]
    record: bool,
    /// Only write the section of docs/benchmarks.md anew, from the figures that are there
    #[arg(long)]
    report: bool,
}

fn setting(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("NAME=VALUE is wanted")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Measures, prints, and writes what it is told to.
pub(crate) async fn run(place: &Place, args: Args) -> anyhow::Result<()> {
    if args.report {
        return report::write();
    }
    let (machine, load) = (Machine::this(&place.dir)?, load_average()?);
    let mut figures = measure(place, &args).await?;
    figures.set("load_average", load);
    let results = results(machine, figures)?;
    say(&report::section(&results).context("figures are missing")?)?;
    if args.record {
        results.write(Path::new(document::RESULTS))?;
        report::write()?;
    }
    Ok(())
}

async fn measure(place: &Place, args: &Args) -> anyhow::Result<Figures> {
    let connections = args.connections as usize;
    let plan = Plan::new(connections, connections_at_most()?)?;
    require_memory(plan, args.keep_free)?;
    let _raised = kernel_settings::ensure(&plan, WIDTH, args.raise_limits)?;
    let interrupted = Arc::new(AtomicBool::new(false));
    tokio::spawn(note_interrupt(Arc::clone(&interrupted)));

    let mut settings: Vec<_> = SETTINGS.map(|(name, value)| (name, value.to_owned())).into();
    settings.extend(args.settings.iter().map(|(name, value)| (name.as_str(), value.clone())));
    settings.push(("EVENT_LOOPS", plan.loops.to_string()));
    let site = Site::prepare(place, &settings)?;
    eprintln!("{connections} users are made");
    let members = site.add_members("user", connections, None).await?;
    let server = Server::start(place, &site)?;
    let target = Target {
        addresses: vec![server.address().parse()?],
        observed: Observed::new(vec![server.id()]),
        tokens: members.into_iter().map(|member| member.token.into()).collect(),
        conversations: Vec::new(),
    };
    let crowd = Crowd {
        target: &target,
        connections,
        hold: Duration::from_secs(args.hold.into()),
        least_free_kib: args.keep_free * KIB_OF_A_GIB,
        interrupted,
    };
    let mut figures = tokio::task::block_in_place(|| crowd.measure())?;
    for (name, value) in [("event_loops", plan.loops), ("client_threads", plan.threads), ("table", plan.table)] {
        figures.count(name, value as u64);
    }
    Ok(figures)
}

/// What was raised and started must be set back and ended: an interrupt ends the run in good order.
async fn note_interrupt(interrupted: Arc<AtomicBool>) {
    if tokio::signal::ctrl_c().await.is_ok() {
        interrupted.store(true, Ordering::Relaxed);
    }
}

fn require_memory(plan: Plan, keep_free_gib: u64) -> anyhow::Result<()> {
    let wanted = (plan.connections as u64 * EXPECTED_KIB).div_ceil(KIB_OF_A_GIB) + keep_free_gib;
    let available = available_kib()? / KIB_OF_A_GIB;
    let connections = plan.connections;
    anyhow::ensure!(
        available >= wanted,
        "{connections} connections need about {wanted} GiB of memory, {keep_free_gib} of them to spare; {available} are \
         available: fewer --connections, or less to --keep-free"
    );
    Ok(())
}

fn results(machine: Machine, figures: Figures) -> anyhow::Result<Results> {
    let words: Vec<_> = env::args().skip(1).filter(|word| word != "--record").collect();
    let server = Measured { version: machine::own_version()?, rounds: vec![figures] };
    Ok(Results {
        scenario: SCENARIO.to_owned(),
        command: format!("cargo xtask {}", words.join(" ")),
        date: machine::now(),
        machine,
        servers: [(SERVER.to_owned(), server)].into(),
    })
}
