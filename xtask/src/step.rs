//! A run of numbered, timed steps, and the table that sums it up.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// What a successful step has to say in the summary; usually nothing.
pub(crate) type Outcome = Result<Option<String>>;

/// One named part of a run.
pub(crate) struct Step<C> {
    /// What `--only` calls it.
    pub(crate) name: &'static str,
    /// What it does, in a few words.
    pub(crate) about: &'static str,
    /// Does it.
    pub(crate) run: fn(&C) -> Outcome,
}

struct Report {
    name: &'static str,
    elapsed: Duration,
    outcome: Outcome,
}

/// Runs `steps` in order, prints the summary, and fails when one of them failed.
/// Stops at the first failure unless `keep_going`.
pub(crate) fn run_all<C>(steps: &[&Step<C>], context: &C, keep_going: bool) -> Result<()> {
    let mut reports = Vec::with_capacity(steps.len());
    for (index, step) in steps.iter().enumerate() {
        let report = run_one(step, context, index + 1, steps.len());
        let failed = report.outcome.is_err();
        reports.push(report);
        if failed && !keep_going {
            break;
        }
    }
    summarize(steps, &reports)
}

fn run_one<C>(step: &Step<C>, context: &C, number: usize, total: usize) -> Report {
    println!("\n==> {number}/{total} {}: {}", step.name, step.about);
    let started = Instant::now();
    let outcome = (step.run)(context);
    let elapsed = started.elapsed();
    let verdict = if outcome.is_ok() { "ok" } else { "FAILED" };
    println!("<== {number}/{total} {}: {verdict} in {elapsed:.1?}", step.name);
    if let Err(error) = &outcome {
        println!("    {error:#}");
    }
    Report { name: step.name, elapsed, outcome }
}

fn summarize<C>(steps: &[&Step<C>], reports: &[Report]) -> Result<()> {
    println!("\nSummary");
    for (index, step) in steps.iter().enumerate() {
        println!("  {} {}", index + 1, line(step.name, reports.get(index)));
    }
    let total: Duration = reports.iter().map(|report| report.elapsed).sum();
    println!("    {:<20} {:>8.1}s", "total", total.as_secs_f64());
    print_remarks(reports);
    let failed: Vec<_> = reports.iter().filter(|report| report.outcome.is_err()).collect();
    if failed.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = failed.iter().map(|report| report.name).collect();
    bail!("failed: {}", names.join(", "))
}

fn line(name: &str, report: Option<&Report>) -> String {
    match report {
        Some(report) => {
            let verdict = if report.outcome.is_ok() { "ok" } else { "FAILED" };
            format!("{name:<20} {:>8.1}s  {verdict}", report.elapsed.as_secs_f64())
        }
        None => format!("{name:<20} {:>9}  not run", "-"),
    }
}

fn print_remarks(reports: &[Report]) {
    for report in reports {
        match &report.outcome {
            Ok(None) => {}
            Ok(Some(remark)) => println!("{}: {remark}", report.name),
            Err(error) => println!("{}: {error:#}", report.name),
        }
    }
}
