//! One scenario against a server that somebody else has started.

use std::net::SocketAddr;

use super::{
    catalogue::{self, SCENARIOS},
    peers::Peer,
    sizes::Size,
};
use crate::{
    load::{Observed, Resize, Target},
    say,
    server::Place,
    site::Site,
};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to do; `holodrive-bench compare` does the same with each server
    #[arg(value_parser = catalogue::names())]
    scenario: String,
    /// Where the server listens; connections are spread over several
    #[arg(long, required = true, value_delimiter = ',')]
    address: Vec<SocketAddr>,
    /// What it checks tokens with (HS256); the users 1, 2, 3, … and the conversations 1, 2, 3, … must be there, with the users in
    /// their order, each in one conversation
    #[arg(long)]
    secret: String,
    /// Its processes: their CPU time and memory are read, with all their children
    #[arg(long, value_delimiter = ',')]
    process: Vec<u32>,
    /// Shorter, and with fewer connections
    #[arg(long)]
    quick: bool,
    #[command(flatten)]
    resize: Resize,
}

/// Prints the figures as JSON.
pub(crate) fn run(place: &Place, args: &Args) -> anyhow::Result<()> {
    let size = if args.quick { Size::Quick } else { Size::Full };
    let entry = SCENARIOS.iter().find(|entry| entry.name == args.scenario);
    let work = entry.map(|entry| args.resize.apply(entry.work(size, Peer::Holodrive)));
    let Some(work) = work else { anyhow::bail!("there is no scenario {}", args.scenario) };
    let issuer = Site::prepare(place, &[("SECRET_KEY", args.secret.clone())])?;
    let target = Target {
        addresses: args.address.clone(),
        observed: Observed::new(args.process.clone()),
        tokens: issuer.tokens(work.users())?,
        conversations: (1..=i64::try_from(work.conversations().0)?).collect(),
    };
    let figures = tokio::task::block_in_place(|| work.run(&target))?;
    Ok(say(&serde_json::to_string_pretty(&figures)?)?)
}
