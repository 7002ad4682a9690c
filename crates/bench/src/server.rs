//! The server under load: the binary `holodrive` as a process of its own.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStderr, Command, Stdio},
};

use anyhow::Context;
use nix::{sys::signal::Signal, unistd::Pid};

use crate::{
    process::Process,
    site::{Settings, Site},
};

/// What the server tells of its own beginning and end.
const TOLD: &str = r#""level":"INFO""#;

/// Where the server and its database come from.
#[derive(clap::Args)]
pub(crate) struct Place {
    /// The server binary [default: `holodrive` beside this program]
    #[arg(long, global = true, value_name = "FILE")]
    server: Option<PathBuf>,
    /// Folder on the disk to measure on; the database goes into a new folder there and is removed afterwards
    #[arg(long, global = true, value_name = "FOLDER", default_value_os_t = env::temp_dir())]
    pub(crate) dir: PathBuf,
    /// Measure with a PostgreSQL server instead of the embedded database: `postgres://…`. A new schema there is used, and
    /// left behind
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) postgres: Option<String>,
}

impl Place {
    fn binary(&self) -> anyhow::Result<PathBuf> {
        let beside = || Ok::<_, std::io::Error>(env::current_exe()?.with_file_name("holodrive"));
        let binary = self.server.clone().map_or_else(beside, Ok)?;
        let hint = "build it with `cargo build --release -p holodrive`, or name one with --server";
        anyhow::ensure!(binary.is_file(), "there is no server at {}: {hint}", binary.display());
        // The server runs in another folder.
        Ok(binary.canonicalize()?)
    }
}

/// A running server; it ends with this handle.
pub(crate) struct Server {
    child: Child,
    address: String,
}

impl Server {
    /// Starts the server on a site; when this returns, clients can connect.
    pub(crate) fn start(place: &Place, site: &Site) -> anyhow::Result<Self> {
        Self::spawn(Command::new(place.binary()?), site)
    }

    /// The same, with the server as the last word of a command that runs programs.
    pub(crate) fn start_under(mut runner: Command, place: &Place, site: &Site) -> anyhow::Result<Self> {
        runner.arg(place.binary()?);
        Self::spawn(runner, site)
    }

    fn spawn(command: Command, site: &Site) -> anyhow::Result<Self> {
        let mut child = prepared(command, site).spawn().context("the server cannot be started")?;
        let log = child.stderr.take().context("the server has no log")?;
        let mut server = Self { child, address: String::new() };
        server.address = address_from(log)?;
        Ok(server)
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// What the operating system knows about it.
    pub(crate) fn process(&self) -> Process {
        Process::new(self.id())
    }

    /// Ends it as an operator does, and waits until it has ended.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        nix::sys::signal::kill(Pid::from_raw(i32::try_from(self.id())?), Signal::SIGTERM)?;
        let status = self.child.wait()?;
        anyhow::ensure!(status.success(), "the server ended with {status}");
        Ok(())
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its database is thrown away, so nothing is lost.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn prepared(mut command: Command, site: &Site) -> Command {
    let mut settings: Settings = site.settings().clone();
    // The line that tells the address, and whatever is wrong.
    settings.insert("LOG_LEVEL".into(), "warn,holodrive::cli=info".into());
    settings.insert("LOG_FORMAT".into(), "json".into());
    let own: Vec<_> =
        command.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
    // Neither this shell's settings nor an `.env` may change what is measured.
    command.arg("serve").current_dir(site.folder()).env_clear().envs(own).envs(settings);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// Reads the log up to the line that tells the address; from there on a thread shows it.
fn address_from(log: ChildStderr) -> anyhow::Result<String> {
    let mut lines = BufReader::new(log).lines();
    for line in lines.by_ref() {
        let line = line?;
        match listening_at(&line) {
            Some(address) => {
                let rest = lines.map_while(Result::ok).filter(|line| !line.contains(TOLD));
                std::thread::spawn(move || rest.for_each(|line| show(&line)));
                return Ok(address);
            }
            None => show(&line),
        }
    }
    anyhow::bail!("the server ended before it listened")
}

fn listening_at(line: &str) -> Option<String> {
    let entry: serde_json::Value = serde_json::from_str(line).ok()?;
    let is_it = entry.get("message")? == "listening";
    entry.get("address")?.as_str().filter(|_| is_it).map(str::to_owned)
}

fn show(line: &str) {
    let _ = writeln!(std::io::stderr(), "server: {line}");
}
