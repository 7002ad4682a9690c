//! On what something was measured.

use std::{fs, path::Path, process::Command, thread::available_parallelism};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::{peers::Peer, start::Ground};
use crate::disk;

/// What figures mean nothing without.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) memory_gib: u64,
    pub(crate) kernel: String,
    /// How fast the disk is.
    pub(crate) disk: String,
}

impl Machine {
    /// This one, and the disk of a folder.
    pub(crate) fn this(folder: &Path) -> anyhow::Result<Self> {
        let processors = fs::read_to_string("/proc/cpuinfo")?;
        let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let memory = crate::process::number_of(&fs::read_to_string("/proc/meminfo")?, "MemTotal:")?;
        let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
        Ok(Self {
            processor: model.map_or("unknown processor", |(_, name)| name).to_owned(),
            cores: available_parallelism()?.get(),
            memory_gib: memory.div_ceil(1024 * 1024),
            kernel: format!("Linux {}", release.split('-').next().unwrap_or_default().trim()),
            disk: disk::durable_write(folder)?,
        })
    }
}

impl Machine {
    /// In a few words.
    pub(crate) fn describe(&self) -> String {
        format!("{} cores of {}, {} GiB, {}", self.cores, self.processor, self.memory_gib, self.kernel)
    }
}

/// What runs, as it calls itself.
pub(crate) fn version(ground: &Ground, peer: Peer) -> anyhow::Result<String> {
    let javascript = ground.sources.join("javascript/package.json");
    let package = |name: &str| -> anyhow::Result<String> {
        let pinned: serde_json::Value = serde_json::from_str(&fs::read_to_string(&javascript)?)?;
        Ok(pinned["dependencies"][name].as_str().unwrap_or("?").to_owned())
    };
    Ok(match peer {
        Peer::Holodrive | Peer::HolodriveCores => own_version()?,
        Peer::Bun | Peer::BunSqlite => format!("Bun {}", package("bun")?),
        Peer::Node => format!("Node {}, ws {}", output("node", &["--version"])?, package("ws")?),
        Peer::Epoll | Peer::EpollSqlite => "bench/peers/epoll, mio".to_owned(),
        Peer::Uvicorn | Peer::Daphne => {
            let pinned = fs::read_to_string(ground.sources.join("django/requirements.txt"))?;
            let names: Vec<_> = pinned.lines().filter(|line| line.contains("==")).collect();
            format!("{}, {}", output("python3", &["--version"])?, names.join(", ").replace("==", " "))
        }
    })
}

/// The version of this server.
pub(crate) fn own_version() -> anyhow::Result<String> {
    Ok(format!("commit {}", output("git", &["describe", "--always", "--dirty"])?))
}

/// The date and the time.
pub(crate) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn output(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program).args(arguments).output().with_context(|| format!("{program} does not start"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
