//! `cargo xtask bench`: HoloDrive beside what one could pick instead, on a machine that has nothing but Rust; and
//! `cargo xtask million`: a million connections to it.

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
    /// Arguments for `holodrive-bench compare`, such as `--quick`, `--check`, `--rounds 3`, `--peers holodrive,bun`, `--scenarios idle`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
    compare: Vec<String>,
}

/// How many connections.
#[derive(clap::Args)]
pub(crate) struct MillionOptions {
    /// Arguments for `holodrive-bench million`, such as `--record`, `--connections 100000`, `--raise-limits`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
    million: Vec<String>,
}

/// Builds, and opens a million connections.
pub(crate) fn million(options: &MillionOptions) -> Result<()> {
    tools::run(bench("million", &["holodrive", "holodrive-bench"])?.args(&options.million))
}

/// Installs what is missing, builds, and compares.
pub(crate) fn run(options: &Options) -> Result<()> {
    let tools_dir = tools::target_dir().join("bench");
    tools::ensure_debian(PROGRAMS)?;
    install_javascript(&tools_dir.join("javascript"))?;
    tools::python_env(Path::new("bench/peers/django/requirements.txt"), &tools_dir.join("django"))?;
    let mut compare = bench("compare", &["holodrive", "holodrive-bench", "holodrive-bench-epoll"])?;
    tools::run(compare.args(&options.compare).arg("--tools").arg(&tools_dir))
}

/// Builds these packages; then a benchmark can run.
fn bench(benchmark: &str, packages: &[&str]) -> Result<Command> {
    tools::run(cargo(["build", "--release", "--locked"]).args(packages.iter().flat_map(|name| ["--package", name])))?;
    let mut command = Command::new(tools::target_dir().join("release/holodrive-bench"));
    command.arg(benchmark);
    Ok(command)
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
