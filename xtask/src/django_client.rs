//! The Django package in `clients/django`: its types and its tests, with each Django that it supports.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::step::Outcome;
use crate::test::{self, CHROMIUM, Options};
use crate::tools::{self, target_dir};

const FOLDER: &str = "clients/django";

/// A version of Django, and the oldest Python 3 that it runs on here.
struct Django {
    version: &'static str,
    python_minor: u32,
}

const VERSIONS: &[Django] = &[Django { version: "5.2", python_minor: 11 }, Django { version: "6.1", python_minor: 12 }];

/// Django's own user model, and one with an e-mail login and a UUID key.
const USER_MODELS: &[&str] = &["auth.User", "people.Person"];

/// Type-checks and tests the package against the program as it ships. A Django for which this machine has no Python is
/// skipped, and the summary says so.
pub(crate) fn test(options: &Options) -> Outcome {
    test::build(options)?;
    tools::ensure_debian(&[CHROMIUM, test::POSTGRES])?;
    let results: Result<Vec<_>> = VERSIONS.iter().map(|django| test_under(django, options)).collect();
    Ok(Some(results?.join("; ")))
}

fn test_under(django: &Django, options: &Options) -> Result<String> {
    let Django { version, python_minor } = django;
    let Some(base) = tools::find_python(*python_minor) else {
        let skipped = format!("Django {version} SKIPPED: needs Python 3.{python_minor} or newer, in PATH, pyenv or uv");
        println!("    {skipped}");
        return Ok(skipped);
    };
    let requirements = Path::new(FOLDER).join(format!("requirements-{version}.txt"));
    let env = target_dir().join(format!("django-client-{version}-venv"));
    let python = std::path::absolute(tools::python_env_of(|| Ok(base), &requirements, &env)?)?;
    tools::run(Command::new(&python).args(["-m", "mypy"]).current_dir(FOLDER))?;
    let mut lines = Vec::new();
    for model in USER_MODELS {
        lines.push(run_pytest(&python, model, &[], options)?);
    }
    let beside_postgres = [std::path::absolute(test::POSTGRES_SERVER)?, python.clone()];
    lines.push(format!("{} on PostgreSQL", run_pytest(&python, USER_MODELS[1], &beside_postgres, options)?));
    Ok(format!("Django {version}: {}", lines.join(", ")))
}

/// With arguments of Python's before those of pytest.
fn run_pytest(python: &PathBuf, user_model: &str, before: &[PathBuf], options: &Options) -> Result<String> {
    let program = std::path::absolute(target_dir().join("debug/holodrive"))?;
    let mut pytest = Command::new(python);
    pytest.args(before).args(["-m", "pytest"]).args(&options.pytest).current_dir(FOLDER);
    pytest.env("HOLODRIVE_BIN", program).env("USER_MODEL", user_model).env("PYTHONDONTWRITEBYTECODE", "1");
    test::run_echoing(&mut pytest).with_context(|| format!("with {user_model}"))
}
