//! The Django package in `clients/django`: its types and its tests, with each Django that it supports.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::step::Outcome;
use crate::test::{self, CHROMIUM, Options};
use crate::tools::{self, target_dir};

const FOLDER: &str = "clients/django";

/// A version of Django, the oldest Python 3 that it runs on here, and what its tests run with.
struct Django {
    version: &'static str,
    python_minor: u32,
    runs: [Run; 2],
}

/// A user model, and where the database is. Each of the four pairs is run once: all of them under each Django would take twice
/// as long, and what differs between versions of Django is in neither.
struct Run {
    user_model: &'static str,
    on_postgres: bool,
}

const DJANGOS_USER: &str = "auth.User";
/// With an e-mail login and a UUID key.
const CUSTOM_USER: &str = "people.Person";

const VERSIONS: &[Django] = &[
    Django {
        version: "5.2",
        python_minor: 11,
        runs: [
            Run { user_model: DJANGOS_USER, on_postgres: false },
            Run { user_model: CUSTOM_USER, on_postgres: true },
        ],
    },
    Django {
        version: "6.1",
        python_minor: 12,
        runs: [
            Run { user_model: DJANGOS_USER, on_postgres: true },
            Run { user_model: CUSTOM_USER, on_postgres: false },
        ],
    },
];

/// Type-checks and tests the package against the program as it ships. A Django for which this machine has no Python is
/// skipped, and the summary says so.
pub(crate) fn test(options: &Options) -> Outcome {
    test::build(options)?;
    tools::ensure_debian(&[CHROMIUM, test::POSTGRES])?;
    let results: Result<Vec<_>> = VERSIONS.iter().map(|django| test_under(django, options)).collect();
    Ok(Some(results?.join("; ")))
}

fn test_under(django: &Django, options: &Options) -> Result<String> {
    let Django { version, python_minor, runs } = django;
    let Some(base) = tools::find_python(*python_minor) else {
        let skipped = format!("Django {version} SKIPPED: needs Python 3.{python_minor} or newer, in PATH, pyenv or uv");
        println!("    {skipped}");
        return Ok(skipped);
    };
    let requirements = Path::new(FOLDER).join(format!("requirements-{version}.txt"));
    let env = target_dir().join(format!("django-client-{version}-venv"));
    let python = std::path::absolute(tools::python_env_of(|| Ok(base), &requirements, &env)?)?;
    tools::run(Command::new(&python).args(["-m", "mypy"]).current_dir(FOLDER))?;
    let lines: Result<Vec<_>> = runs.iter().map(|run| run.pytest(&python, options)).collect();
    Ok(format!("Django {version}: {}", lines?.join(", ")))
}

impl Run {
    fn pytest(&self, python: &PathBuf, options: &Options) -> Result<String> {
        let Self { user_model, on_postgres } = self;
        let program = std::path::absolute(target_dir().join("debug/holodrive"))?;
        let mut pytest = Command::new(python);
        if *on_postgres {
            pytest.arg(std::path::absolute(test::POSTGRES_SERVER)?).arg(python);
        }
        pytest.args(["-m", "pytest"]).args(&options.pytest).current_dir(FOLDER);
        pytest.env("HOLODRIVE_BIN", program).env("USER_MODEL", user_model).env("PYTHONDONTWRITEBYTECODE", "1");
        let line = test::run_echoing(&mut pytest).with_context(|| format!("with {user_model}"))?;
        Ok(format!("{user_model} on {}: {line}", if *on_postgres { "PostgreSQL" } else { "SQLite" }))
    }
}
