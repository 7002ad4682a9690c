//! `cargo xtask test`: every check and every test, on a machine that has nothing but Rust.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::django_client;
use crate::step::{self, Outcome, Step};
use crate::tools::{self, DebianProgram, cargo};

/// The browser of all tests that need one.
pub(crate) const CHROMIUM: DebianProgram = DebianProgram { program: "chromium", package: "chromium" };

/// What the acceptance suite starts besides the server. A further service is one more entry.
const SERVICES: &[DebianProgram] = &[
    CHROMIUM,
    DebianProgram { program: "nginx", package: "nginx-light" },
    DebianProgram { program: "openssl", package: "openssl" },
    DebianProgram { program: "redis-server", package: "redis-server" },
    DebianProgram { program: "strace", package: "strace" },
    POSTGRES,
];

/// A server of the tests' own; what Debian sets up when it installs it stays as it is.
pub(crate) const POSTGRES: DebianProgram = DebianProgram { program: "initdb", package: "postgresql" };

/// What counts instructions.
const COUNTER: &[DebianProgram] = &[DebianProgram { program: "valgrind", package: "valgrind" }];

/// Runs a command with a PostgreSQL server.
pub(crate) const POSTGRES_SERVER: &str = "acceptance/postgres_server.py";

/// What the Rust tests and the crash tests need, and no release has.
const TEST_FEATURES: &[&str] = &["--features", "holodrive/test-hooks,holodrive/failpoints"];

const STEPS: &[Step<Options>] = &[
    Step { name: "format", about: "cargo fmt --check", run: format },
    Step { name: "lint", about: "clippy, with and without the test features", run: lint },
    Step { name: "deny", about: "licences, sources and banned crates", run: deny },
    Step { name: "rust", about: "the Rust tests, with the test features", run: rust_tests },
    Step { name: "postgres", about: "the Rust tests once more, on PostgreSQL", run: rust_tests_on_postgres },
    Step { name: "build", about: "the program as it ships, without the test features", run: build },
    Step { name: "acceptance", about: "the Python suite against that program", run: acceptance },
    Step {
        name: "acceptance-postgres",
        about: "the parts of the Python suite for which the database matters, on PostgreSQL",
        run: acceptance_on_postgres,
    },
    Step { name: "django-client", about: "the Django package, under each supported Django", run: django_client::test },
    Step { name: "instructions", about: "what connections and messages take, against the record", run: instructions },
];

/// The steps that need neither network nor other programs.
const QUICK: &[&str] = &["format", "lint", "rust"];

/// What to test, and how.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only formatting, lints and the Rust tests
    #[arg(long, conflicts_with = "only")]
    quick: bool,
    /// Only this step: format, lint, deny, rust, postgres, build, acceptance, acceptance-postgres, django-client or instructions (may be repeated)
    #[arg(long, value_name = "STEP")]
    only: Vec<String>,
    /// Run the other steps too when one has failed
    #[arg(long)]
    keep_going: bool,
    /// Arguments for pytest, such as `-k chat`
    #[arg(last = true, value_name = "PYTEST ARGS")]
    pub(crate) pytest: Vec<String>,
}

/// Runs the steps that `options` ask for.
pub(crate) fn run(options: &Options) -> Result<()> {
    step::run_all(&selected(options)?, options, options.keep_going)
}

fn selected(options: &Options) -> Result<Vec<&'static Step<Options>>> {
    if let Some(unknown) = options.only.iter().find(|name| STEPS.iter().all(|step| step.name != name.as_str())) {
        bail!("there is no step `{unknown}`; see `cargo xtask test --help`");
    }
    let wanted = |name: &str| match options {
        Options { quick: true, .. } => QUICK.contains(&name),
        Options { only, .. } => only.is_empty() || only.iter().any(|only| only == name),
    };
    Ok(STEPS.iter().filter(|step| wanted(step.name)).collect())
}

fn format(_: &Options) -> Outcome {
    tools::run(&mut cargo(["fmt", "--all", "--check"]))?;
    Ok(None)
}

fn lint(_: &Options) -> Outcome {
    for scope in [&["--workspace"][..], &["--package", "holodrive", "--all-features"]] {
        let mut clippy = cargo(["clippy", "--locked", "--all-targets"]);
        tools::run(clippy.args(scope).args(["--", "-D", "warnings"]))?;
    }
    Ok(None)
}

fn deny(_: &Options) -> Outcome {
    let program = tools::cargo_deny()?;
    tools::run(Command::new(program).args([
        "--all-features",
        "--log-level",
        "warn",
        "check",
        "bans",
        "licenses",
        "sources",
    ]))?;
    Ok(None)
}

fn rust_tests(_: &Options) -> Outcome {
    tools::run(cargo(["test", "--workspace", "--locked"]).args(TEST_FEATURES))?;
    Ok(None)
}

/// The same programs as of the step before.
fn rust_tests_on_postgres(_: &Options) -> Outcome {
    tools::ensure_debian(&[POSTGRES])?;
    let tests = cargo(["test", "--workspace", "--locked"]);
    let mut run = Command::new(acceptance_python()?);
    run.arg(POSTGRES_SERVER).arg(tests.get_program()).args(tests.get_args()).args(TEST_FEATURES);
    tools::run(&mut run)?;
    Ok(None)
}

/// Builds the program as it ships.
pub(crate) fn build(_: &Options) -> Outcome {
    tools::run(&mut cargo(["build", "--workspace", "--locked", "--bin", "holodrive"]))?;
    Ok(None)
}

/// The program with the stops for crash tests, which the Rust tests have built already: cargo must be asked for the very
/// same thing to see that. The copy survives the build of the program as it ships, which has the same name.
fn build_with_failpoints() -> Result<PathBuf> {
    tools::run(cargo(["test", "--workspace", "--locked", "--no-run", "--test", "cli"]).args(TEST_FEATURES))?;
    let copy = std::path::absolute(tools::target_dir().join("debug/holodrive-failpoints"))?;
    fs::copy(tools::target_dir().join("debug/holodrive"), &copy)?;
    Ok(copy)
}

/// The Python suite, with arguments before those of `options`.
fn pytest(python: &Path, options: &Options, before: &[&Path]) -> Result<Command> {
    let with_failpoints = build_with_failpoints()?;
    build(options)?;
    tools::ensure_debian(SERVICES)?;
    let program = std::path::absolute(tools::target_dir().join("debug/holodrive"))?;
    let mut pytest = Command::new(python);
    pytest.args(before).args(["-m", "pytest"]).args(&options.pytest).current_dir("acceptance");
    pytest.env("HOLODRIVE_BIN", program).env("HOLODRIVE_FAILPOINTS_BIN", with_failpoints);
    Ok(pytest)
}

/// Builds first, so that `--only acceptance` never judges a stale program.
fn acceptance(options: &Options) -> Outcome {
    run_echoing(&mut pytest(&acceptance_python()?, options, &[])?).map(Some)
}

fn acceptance_on_postgres(options: &Options) -> Outcome {
    let python = acceptance_python()?;
    let server = std::path::absolute(POSTGRES_SERVER)?;
    run_echoing(&mut pytest(&python, options, &[&server, &python])?).map(Some)
}

fn acceptance_python() -> Result<PathBuf> {
    let python =
        tools::python_env(Path::new("acceptance/requirements.txt"), &tools::target_dir().join("acceptance-venv"))?;
    Ok(std::path::absolute(python)?)
}

/// The program as it ships, and what loads it, in the profile of the other steps: nothing is built twice.
fn instructions(_: &Options) -> Outcome {
    tools::ensure_debian(COUNTER)?;
    let programs = ["--bin", "holodrive", "--bin", "holodrive-bench"];
    tools::run(cargo(["build", "--workspace", "--locked"]).args(programs))?;
    let program = tools::target_dir().join("debug/holodrive-bench");
    tools::run(Command::new(program).args(["instructions", "--check"]))?;
    Ok(None)
}

/// Runs `command`, shows its output as it comes, and returns its last line.
pub(crate) fn run_echoing(command: &mut Command) -> Result<String> {
    let shown = tools::announce(command);
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start `{shown}`"))?;
    let mut last = String::new();
    for line in child.stdout.take().into_iter().flat_map(|output| BufReader::new(output).lines()) {
        last = line?;
        println!("{last}");
    }
    let status = child.wait()?;
    ensure!(status.success(), "{last}");
    Ok(last)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct CommandLine {
        #[command(flatten)]
        options: Options,
    }

    fn steps_of(arguments: &[&str]) -> Result<Vec<&'static str>> {
        let words = std::iter::once("test").chain(arguments.iter().copied());
        let options = CommandLine::try_parse_from(words)?.options;
        Ok(selected(&options)?.iter().map(|step| step.name).collect())
    }

    #[test]
    fn everything_runs_by_default() {
        assert_eq!(steps_of(&[]).ok().map(|names| names.len()), Some(STEPS.len()));
    }

    #[test]
    fn quick_needs_no_other_program() {
        assert_eq!(steps_of(&["--quick"]).ok(), Some(QUICK.to_vec()));
    }

    #[test]
    fn only_chooses_steps_in_their_order() {
        let chosen = steps_of(&["--only", "rust", "--only", "format", "--", "-k", "chat"]);
        assert_eq!(chosen.ok(), Some(vec!["format", "rust"]));
    }

    #[test]
    fn an_unknown_step_is_refused() {
        assert!(steps_of(&["--only", "nothing"]).is_err());
    }
}
