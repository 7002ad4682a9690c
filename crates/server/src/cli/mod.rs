//! The command line: one file for each subcommand.

mod config;

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::config::{Config, Sources, flags, given_flags};

/// The real-time backend of a ride-hailing service: notifications, chat and orders to drivers.
#[derive(Parser)]
#[command(name = "holodrive", version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Print every setting in effect and its source, with secrets masked
    Config(config::ConfigArgs),
}

const SETTINGS_HINT: &str = "Every setting is a flag as well: see `holodrive --help`.";

/// Runs the command that the process's arguments ask for. Exit status: 0, 1 when it failed (one line on
/// standard error says why), 2 when the arguments make no sense.
pub fn main() -> ExitCode {
    match run(&command().get_matches()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let reason = format!("{error:#}").replace(['\r', '\n'], " ");
            eprintln!("holodrive: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// The command line with all settings as flags. Only the top level's help lists them.
fn command() -> clap::Command {
    let hidden: Vec<_> = flags().map(|flag| flag.hide(true)).collect();
    Cli::command().args(flags()).mut_subcommands(|command| command.args(hidden.clone()).after_help(SETTINGS_HINT))
}

fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let cli = Cli::from_arg_matches(matches)?;
    let config = Config::load(&Sources::of_process(given_flags(matches))?)?;
    match cli.command {
        Some(Command::Config(args)) => config::run(&config, &args),
        None => Ok(()),
    }
}

/// Writes the result of a command. A reader that has gone away, as in `holodrive config | head`, is no
/// failure.
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
