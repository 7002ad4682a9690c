//! The project's own chores, in Rust so that a machine with only Rust can run them: `cargo xtask test`, `cargo xtask bench`
//! and `cargo xtask million`.

mod bench;
mod django_client;
mod step;
mod test;
mod tools;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;

/// The project's own chores.
#[derive(Parser)]
#[command(bin_name = "cargo xtask", arg_required_else_help = true)]
enum Chore {
    /// Runs every check and test, installing what it needs (Debian packages need root)
    Test(test::Options),
    /// Compares HoloDrive with what one could pick instead, and writes the result into docs/benchmarks.md
    Bench(bench::Options),
    /// Holds a million idle connections to one server, both ends on this machine
    Million(bench::MillionOptions),
}

fn main() -> ExitCode {
    match run(Chore::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(chore: Chore) -> Result<()> {
    enter_workspace()?;
    match chore {
        Chore::Test(options) => test::run(&options),
        Chore::Bench(options) => bench::run(&options),
        Chore::Million(options) => bench::million(&options),
    }
}

/// Every path in this crate is relative to the root of the workspace.
fn enter_workspace() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::env::set_current_dir(&root).with_context(|| format!("cannot enter {}", root.display()))
}
