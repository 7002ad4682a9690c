//! `cargo xtask bench`: HoloDrive beside what one could pick instead, on a machine that has nothing but Rust.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::tools::{self, DebianProgram, cargo};

const PROGRAMS: &[DebianProgram] = &[
    DebianProgram { program: "redis-server", package: "redis-server" },
    DebianProgram { program: "node", package: "nodejs" },
    DebianProgram { program: "npm", package: "npm" },
];
/// Where the other servers are copied from.
const JAVASCRIPT: &str = "bench/peers/javascript";

/// What to compare, and how.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Arguments for `holodrive-bench compare`, such as `--quick`, `--rounds 3`, `--peers holodrive,bun`, `--scenarios idle`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
    compare: Vec<String>,
}

/// Installs what is missing, builds, and compares.
pub(crate) fn run(options: &Options) -> Result<()> {
    let tools_dir = tools::target_dir().join("bench");
    tools::ensure_debian(PROGRAMS)?;
    install_javascript(&tools_dir.join("javascript"))?;
    tools::python_env(Path::new("bench/peers/django/requirements.txt"), &tools_dir.join("django"))?;
    let packages = ["holodrive", "holodrive-bench", "holodrive-bench-epoll"];
    tools::run(cargo(["build", "--release", "--locked"]).args(packages.iter().flat_map(|name| ["--package", name])))?;
    let mut compare = Command::new(tools::target_dir().join("release/holodrive-bench"));
    tools::run(compare.arg("compare").args(&options.compare).arg("--tools").arg(&tools_dir))
}

/// Exactly what the lock file says, beside copies of the programs: they find their packages in the folder they are in.
fn install_javascript(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let (lock, stamp) = (Path::new(JAVASCRIPT).join("package-lock.json"), folder.join("installed-lock.json"));
    for file in fs::read_dir(JAVASCRIPT).with_context(|| JAVASCRIPT.to_owned())? {
        let file = file?;
        fs::copy(file.path(), folder.join(file.file_name()))?;
    }
    let wanted = fs::read_to_string(lock)?;
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    tools::run(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(folder))?;
    Ok(fs::write(stamp, wanted)?)
}
