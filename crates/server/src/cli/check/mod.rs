//! `holodrive check`: what is reachable, and what is misconfigured. It changes nothing.

mod database;
mod descriptors;
mod hooks;
mod network;
mod push;
mod secrets;

use std::fmt;

use super::print;
use crate::config::Config;

/// How one check ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        })
    }
}

/// What the checks found, in the order in which they ran.
#[derive(Default)]
struct Report(Vec<(Verdict, &'static str, String)>);

impl Report {
    fn ok(&mut self, subject: &'static str, finding: impl Into<String>) {
        self.0.push((Verdict::Ok, subject, finding.into()));
    }

    fn warn(&mut self, subject: &'static str, finding: impl Into<String>) {
        self.0.push((Verdict::Warn, subject, finding.into()));
    }

    fn fail(&mut self, subject: &'static str, finding: impl Into<String>) {
        self.0.push((Verdict::Fail, subject, finding.into()));
    }

    fn failures(&self) -> usize {
        self.0.iter().filter(|(verdict, ..)| *verdict == Verdict::Fail).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(verdict, subject, finding)| writeln!(f, "{verdict:4}  {subject:14}  {finding}"))
    }
}

pub(super) fn run(config: &Config) -> anyhow::Result<()> {
    let mut report = Report::default();
    database::check(config, &mut report);
    secrets::check(config, &mut report);
    network::check(config, &mut report);
    descriptors::check(config, &mut report);
    hooks::check(config, &mut report);
    push::check(config, &mut report);
    print(&report.to_string())?;
    match report.failures() {
        0 => Ok(()),
        1 => anyhow::bail!("1 check failed"),
        failures => anyhow::bail!("{failures} checks failed"),
    }
}
