//! Finds the programs that the tests need, and installs what is missing.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

const CARGO_DENY_VERSION: &str = "0.20.2";
/// The oldest Python 3 that the tests run on.
const OLDEST_MINOR: u32 = 11;

/// A program that a test starts, and the Debian package that brings it.
pub(crate) struct DebianProgram {
    /// The name in `PATH`.
    pub(crate) program: &'static str,
    /// What `apt-get install` calls it.
    pub(crate) package: &'static str,
}

/// Cargo's build directory.
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from)
}

/// A `cargo` command of the toolchain that runs this program.
pub(crate) fn cargo<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args);
    command
}

/// Runs `command` to its end and fails when it does.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = announce(command);
    let status = command.status().with_context(|| format!("cannot start `{shown}`"))?;
    ensure!(status.success(), "`{shown}`: {status}");
    Ok(())
}

/// Shows `command` as one would type it.
pub(crate) fn announce(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let words: Vec<_> = std::iter::once(program).chain(command.get_args()).map(|word| word.to_string_lossy()).collect();
    let shown = words.join(" ");
    println!("    $ {shown}");
    shown
}

/// Installs the packages of those `programs` that are not there.
pub(crate) fn ensure_debian(programs: &[DebianProgram]) -> Result<()> {
    let missing: Vec<_> =
        programs.iter().filter(|wanted| !is_installed(wanted.program)).map(|wanted| wanted.package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    apt_install(&missing).with_context(|| format!("as root: apt-get install {}", missing.join(" ")))
}

fn apt_install(packages: &[&str]) -> Result<()> {
    run(apt_get().arg("update"))?;
    run(apt_get().args(["install", "-y", "--no-install-recommends"]).args(packages))
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// Debian keeps most programs of PostgreSQL out of `PATH`, in a folder for each version.
fn is_installed(program: &str) -> bool {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    find_in_path(program).is_some()
        || versions.map(|version| version.path().join("bin").join(program)).any(|file| file.is_file())
}

fn find_in_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file())
}

/// The path of `cargo-deny`; builds it once below the target directory when the machine has none.
pub(crate) fn cargo_deny() -> Result<PathBuf> {
    let root = target_dir().join("tools");
    let built = root.join("bin/cargo-deny");
    if let Some(found) = find_in_path("cargo-deny").or_else(|| built.is_file().then(|| built.clone())) {
        return Ok(found);
    }
    println!("    cargo-deny is not installed: building it once, which takes some minutes");
    let mut install =
        cargo(["install", "--locked", "--debug", "--version", CARGO_DENY_VERSION, "cargo-deny", "--root"]);
    run(install.arg(&root)).context("cargo-deny is needed to check licences and sources, and cannot be installed")?;
    Ok(built)
}

/// The Python of a virtual environment in the folder `env` that holds exactly what `requirements` pins.
/// Built anew only when that file has changed.
pub(crate) fn python_env(requirements: &Path, env: &Path) -> Result<PathBuf> {
    python_env_of(|| base_python().map(PathBuf::from), requirements, env)
}

/// The same with the Python that `base` finds when the environment is to be built.
pub(crate) fn python_env_of(
    base: impl FnOnce() -> Result<PathBuf>,
    requirements: &Path,
    env: &Path,
) -> Result<PathBuf> {
    let stamp = env.join("requirements.txt");
    let python = env.join("bin/python");
    let wanted = fs::read_to_string(requirements).with_context(|| requirements.display().to_string())?;
    if python.is_file() && fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    run(Command::new(base()?).args(["-m", "venv", "--clear"]).arg(env))?;
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "-r"]).arg(requirements))?;
    fs::write(&stamp, wanted).with_context(|| stamp.display().to_string())?;
    Ok(python)
}

/// A Python of at least version 3.`minor`: in `PATH`, or one of those that pyenv or uv has installed.
pub(crate) fn find_python(minor: u32) -> Option<PathBuf> {
    let in_path =
        std::iter::once("python3".to_owned()).chain((minor..minor + 10).map(|minor| format!("python3.{minor}")));
    let installed = pyenv_pythons().chain(uv_python(minor));
    in_path.map(PathBuf::from).chain(installed).find(|python| is_python(python, minor))
}

fn pyenv_pythons() -> impl Iterator<Item = PathBuf> {
    let root = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let root = root.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".pyenv")));
    let versions = root.and_then(|root| fs::read_dir(root.join("versions")).ok());
    versions.into_iter().flatten().flatten().map(|version| version.path().join("bin/python3"))
}

fn uv_python(minor: u32) -> Option<PathBuf> {
    let wanted = format!(">=3.{minor}");
    let output = Command::new("uv").args(["python", "find", "--no-python-downloads", &wanted]).output().ok()?;
    let path = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| PathBuf::from(path.trim()))
}

fn base_python() -> Result<&'static str> {
    const PYTHON: &str = "python3";
    if !is_python(Path::new(PYTHON), OLDEST_MINOR) {
        apt_install(&["python3", "python3-venv"]).context("as root: apt-get install python3 python3-venv")?;
    }
    if !is_python(Path::new(PYTHON), OLDEST_MINOR) {
        bail!("this needs Python 3.11 or newer with its venv module");
    }
    Ok(PYTHON)
}

/// Whether `python` runs, is at least version 3.`minor`, and can make virtual environments.
fn is_python(python: &Path, minor: u32) -> bool {
    let probe = format!("import sys, venv, ensurepip; sys.exit(sys.version_info < (3, {minor}))");
    let status = Command::new(python).args(["-c", &probe]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}
