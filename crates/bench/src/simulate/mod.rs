//! What dispatch rules are worth: a city with real demand and made-up people, in simulated time.

mod args;
mod comparison;
mod core;
mod curves;
mod demand;
mod dice;
mod events;
mod live;
mod metrics;
mod moment;
mod outcome;
mod own;
mod people;
mod report;
mod rules;
mod scenario;
mod table;
#[cfg(test)]
mod tests;

use std::time::Instant;

pub(crate) use args::Args;
use comparison::{Days, check, compare, compare_live, violations};
use demand::Demand;

use crate::{numbers::number, say, server::Place};

pub(crate) async fn run(place: &Place, args: Args) -> anyhow::Result<()> {
    args.check()?;
    if args.data.download {
        return demand::download(&args.data.data).await;
    }
    if let Some(folder) = &args.data.extract {
        return Demand::write_extract(&args.data.data, folder, &args.hours);
    }
    let days = Days::load(&args)?;
    if let Some(file) = &args.data.write_demand {
        return days.write(file);
    }
    simulate(place, &args, &days).await
}

async fn simulate(place: &Place, args: &Args, days: &Days) -> anyhow::Result<()> {
    let began = Instant::now();
    let cases = if args.live { compare_live(place, args, days).await? } else { compare(args, days)? };
    say(&table::markdown(&cases))?;
    for violation in violations(&cases) {
        say(&format!("violation: {violation}"))?;
    }
    let runs: usize = cases.iter().map(|case| case.runs.len()).sum();
    let runs = if runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") };
    say(&format!("{runs} in {} s", number(began.elapsed().as_secs_f64(), 1)))?;
    if let Some(folder) = &args.report {
        report::write(folder, args, &cases)?;
    }
    if args.check { check(&cases) } else { Ok(()) }
}
