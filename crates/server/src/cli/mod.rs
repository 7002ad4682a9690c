//! The command line: one file for each subcommand.

mod check;
mod config;
mod migrate;
mod serve;
mod token;
mod user;

use std::io::{self, ErrorKind, Write};
use std::net::IpAddr;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::{
    accounts::{Accounts, AccountsOptions},
    clock::SystemClock,
    config::{Config, Sources, flags, given_flags},
    server::open_storage,
    storage::Storage,
    telemetry::Metrics,
};

/// The real-time backend of a ride-hailing service: notifications, chat and orders to drivers
#[derive(Parser)]
#[command(name = "holodrive", version)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::ServeArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Migrate the embedded database and serve; the default
    Serve(serve::ServeArgs),
    /// Bring the database's schema up to date
    Migrate,
    /// Print every setting in effect and its source, with secrets masked
    Config(config::ConfigArgs),
    /// Manage users
    User(user::UserArgs),
    /// Print an access token for a user
    Token(token::TokenArgs),
    /// Tell what is reachable and what is misconfigured
    Check,
}

const SETTINGS_HINT: &str = "Every setting is a flag as well: see `holodrive --help`.";

/// Runs the command that the process's arguments ask for. Exit status: 0, 1 when it failed (one line on standard error
/// says why), 2 when the arguments make no sense.
pub fn main() -> ExitCode {
    match run(&command().get_matches()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let reason = format!("{error:#}").replace(['\r', '\n'], " ");
            // A standard error that is closed is no reason to panic.
            let _ = writeln!(io::stderr(), "holodrive: {reason}");
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
    let command = match cli.command {
        None => Command::Serve(cli.serve),
        Some(Command::Serve(args)) => Command::Serve(args.or(cli.serve)),
        Some(_) if cli.serve.demo => usage_error("--demo belongs to `serve`"),
        Some(command) => command,
    };
    let config = Config::load(&Sources::of_process(given_flags(matches))?)?;
    match command {
        Command::Serve(args) => serve::run(config, args),
        Command::Migrate => migrate::run(&config),
        Command::Config(args) => config::run(&config, &args),
        Command::User(args) => user::run(config, args),
        Command::Token(args) => token::run(config, &args),
        Command::Check => check::run(&config),
    }
}

fn usage_error(message: &str) -> ! {
    command().error(clap::error::ErrorKind::ArgumentConflict, message).exit()
}

/// Opens the database for a command that works on it, migrated.
fn open_database(config: &Config) -> anyhow::Result<Storage> {
    open_storage(config, Arc::new(SystemClock), Arc::new(Metrics::new()))
}

/// Opens the accounts for a command that works on them, with the secret key that signs tokens.
fn open_accounts(mut config: Config) -> anyhow::Result<Accounts> {
    config.ensure_secret_key()?;
    Ok(Accounts::new(open_database(&config)?, AccountsOptions::from(&config))?)
}

/// Runs a command that waits for the database.
fn block_on(command: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(command)
}

/// Writes the result of a command. A reader that has gone away, as in `holodrive config | head`, is no failure.
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Whether it is this machine: nobody else can reach the address, and nobody is in between.
fn is_local(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
