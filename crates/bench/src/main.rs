//! Benchmarks of a real HoloDrive server over its real sockets: `holodrive-bench`.
//!
//! Each run prepares a database of its own, starts the server binary on it, and loads it from this process. What is
//! told is what a client on the same machine sees.

mod chart;
mod chat;
mod cities;
mod compare;
mod connections;
mod deadlines;
mod disk;
mod dispatching;
mod document;
mod fleet;
mod instructions;
mod latencies;
mod load;
mod million;
mod numbers;
mod process;
mod progress;
mod server;
mod simulate;
mod site;
mod socket;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

/// Benchmarks of a real HoloDrive server over its real sockets
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    benchmark: Benchmark,
    #[command(flatten)]
    place: server::Place,
}

#[derive(Subcommand)]
enum Benchmark {
    /// How late offers end
    Deadlines(deadlines::Args),
    /// How soon a driver has a new order, among thousands who drive around
    Dispatch(dispatching::Args),
    /// What the index of drivers in memory takes for a move, for a search, and in bytes
    Fleet(fleet::Args),
    /// What an idle connection costs in memory
    Connections(connections::Args),
    /// How many chat messages a second are stored and acknowledged
    Chat(chat::Args),
    /// How many instructions the server takes for a connection, a delivery, a stored message and a position
    Instructions(instructions::Args),
    /// As many idle connections as one server and this machine can hold
    Million(million::Args),
    /// The same work on this server and on others, in turns
    Compare(compare::Args),
    /// What dispatch rules are worth: a city with real demand, in simulated time
    Simulate(Box<simulate::Args>),
    /// One scenario of these on a server that runs already
    Load(compare::load::Args),
}

#[tokio::main]
async fn main() -> ExitCode {
    let Cli { benchmark, place } = Cli::parse();
    if let Err(error) = process::raise_open_files() {
        eprintln!("holodrive-bench: the limit on open files stays as it is: {error:#}");
    }
    let outcome = match benchmark {
        Benchmark::Deadlines(args) => deadlines::run(&place, args).await,
        Benchmark::Dispatch(args) => dispatching::run(&place, args).await,
        Benchmark::Fleet(args) => fleet::run(&args),
        Benchmark::Connections(args) => connections::run(&place, args).await,
        Benchmark::Chat(args) => chat::run(&place, args).await,
        Benchmark::Instructions(args) => instructions::run(&place, args).await,
        Benchmark::Million(args) => million::run(&place, args).await,
        Benchmark::Load(args) => compare::load::run(&place, &args),
        Benchmark::Simulate(args) => simulate::run(&place, *args).await,
        Benchmark::Compare(args) => compare::run(place, args).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "holodrive-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Writes one line of the result.
fn say(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}
