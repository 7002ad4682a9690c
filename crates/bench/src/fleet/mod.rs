//! What the index of drivers in memory takes: for a move, for a search, and in bytes. No server takes part.

mod measure;
mod report;

use crate::{cities::Cities, numbers::Share, say};
use measure::{Figures, measure};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Drivers in the index
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=50_000_000))]
    drivers: u32,
    /// Moves that are measured
    #[arg(long, default_value_t = 2_000_000, value_parser = clap::value_parser!(u32).range(1..))]
    moves: u32,
    /// Searches of each kind that are measured, with moves in between
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..))]
    searches: u32,
    /// How far a driver may be, in kilometres
    #[arg(long, default_value_t = 10.0)]
    radius: f64,
    /// Drivers who have a trip and are passed over, of all
    #[arg(long, default_value = "0.5")]
    busy: Share,
    /// Over how many cities of 30 km the drivers are spread, one table row each
    #[arg(long, value_delimiter = ',', default_values_t = [1, 100], value_parser = clap::value_parser!(u32).range(1..=10_000))]
    cities: Vec<u32>,
    /// Exit with status 1 unless there are 250,000 moves a second, and 99 of 100 searches take less than 100 µs for
    /// one driver and 200 µs for ten
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    report::head(args).iter().try_for_each(|line| say(line))?;
    let mut all = Vec::new();
    for cities in &args.cities {
        let figures = measure(args, &Cities::new(*cities))?;
        say(&report::row(*cities, &figures))?;
        all.push(figures);
    }
    if args.check { all.iter().try_for_each(report::check) } else { Ok(()) }
}
