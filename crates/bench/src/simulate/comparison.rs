//! All rules on the same days.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use holodrive::config::Config;

use super::{
    args::{Args, LOOSE, Supply, TIGHT},
    core,
    demand::{self, Demand, Trip},
    live,
    metrics::{Metrics, over},
    outcome::Outcome,
    people::{Mood, People},
    rules::{BASELINE, OURS, Rule},
    scenario::Scenario,
};
use crate::{progress, server::Place};

/// How many points more ours must serve where drivers are tight.
const LEAD: f64 = 10.0;
/// What chance may do where drivers are loose.
const TOLERANCE: f64 = 0.5;

/// One rule in one supply, on every day.
pub(crate) struct Case {
    pub(crate) rule: Rule,
    pub(crate) supply: Supply,
    pub(crate) runs: Vec<Metrics>,
    pub(crate) outcomes: Vec<Outcome>,
}

/// The trips of each seed.
pub(crate) struct Days(Vec<(u64, Vec<Trip>)>);

impl Days {
    /// From the operator's file, or from the demand of the city.
    pub(crate) fn load(args: &Args) -> anyhow::Result<Self> {
        let days: Vec<_> = if let Some(file) = &args.data.demand {
            let trips = demand::read_operators_trips(file)?;
            ensure_some_count(&trips, args.warm_up).with_context(|| file.display().to_string())?;
            args.seeds().map(|seed| (seed, trips.clone())).collect()
        } else {
            let city = Demand::load(&args.data.data, &args.hours)?;
            args.seeds().map(|seed| (seed, city.trips(&args.hours, args.requests_per_hour, seed))).collect()
        };
        Ok(Self(days))
    }

    /// Each day with so many drivers.
    pub(crate) fn scenarios(&self, supply: &Supply, args: &Args) -> anyhow::Result<Vec<Scenario>> {
        let scenario = |(seed, trips): &(u64, Vec<Trip>)| {
            Scenario::new(*seed, trips.clone(), supply.drivers, args.warm_up).context("there are no requests")
        };
        self.0.iter().map(scenario).collect()
    }

    /// Writes the first day's trips in the form that is read.
    pub(crate) fn write(&self, file: &Path) -> anyhow::Result<()> {
        demand::write_trips(file, self.0.first().map_or(&[], |(_, trips)| trips))
    }
}

/// Refuses trips that are over before the city has filled.
fn ensure_some_count(trips: &[Trip], warm_up: Duration) -> anyhow::Result<()> {
    let ends = trips.iter().map(|trip| trip.requested_at);
    let span = ends.clone().max().zip(ends.min()).map_or(Duration::ZERO, |(last, first)| last.since(first));
    anyhow::ensure!(
        warm_up.is_zero() || warm_up < span,
        "the trips span {} s, and --warm-up leaves out the first {} s: no order would count",
        span.as_secs(),
        warm_up.as_secs()
    );
    Ok(())
}

/// Runs every rule in every supply on every day.
pub(crate) fn compare(args: &Args, days: &Days) -> anyhow::Result<Vec<Case>> {
    let (rules, mut cases, mut jobs) = (args.rules()?, Vec::new(), Vec::new());
    for supply in args.supplies() {
        for rule in &rules {
            let config = Arc::new(rule.config()?);
            let scenarios = days.scenarios(&supply, args)?;
            jobs.extend(scenarios.into_iter().map(|scenario| Job {
                scenario,
                config: Arc::clone(&config),
                mood: rule.mood,
            }));
            cases.push(Case { rule: rule.clone(), supply: supply.clone(), runs: Vec::new(), outcomes: Vec::new() });
        }
    }
    let seeds = jobs.len() / cases.len().max(1);
    for (number, (outcome, took)) in run_all(&jobs, &args.people).into_iter().enumerate() {
        let case = &mut cases[number / seeds];
        case.runs.push(Metrics::new(&outcome, took));
        case.outcomes.push(outcome);
    }
    Ok(cases)
}

/// The same with a real server for each run, one after the other.
pub(crate) async fn compare_live(place: &Place, args: &Args, days: &Days) -> anyhow::Result<Vec<Case>> {
    let mut cases = Vec::new();
    for supply in args.supplies() {
        for rule in args.rules()? {
            let mut case = Case { rule, supply: supply.clone(), runs: Vec::new(), outcomes: Vec::new() };
            for scenario in days.scenarios(&supply, args)? {
                let began = Instant::now();
                let outcome = live::run(place, scenario, &args.people, &case.rule, args.speed).await?;
                case.runs.push(Metrics::new(&outcome, began.elapsed()));
                case.outcomes.push(outcome);
            }
            cases.push(case);
        }
    }
    Ok(cases)
}

/// One run.
struct Job {
    scenario: Scenario,
    config: Arc<Config>,
    mood: Mood,
}

/// Runs on all cores; gives the outcomes in the order of the jobs, each with the time that it took.
fn run_all(jobs: &[Job], people: &People) -> Vec<(Outcome, Duration)> {
    let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let work = || {
        while let Some((number, job)) = Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|n| Some((n, jobs.get(n)?)))
        {
            let began = Instant::now();
            let outcome = core::run(&job.scenario, people, &job.config, job.mood);
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            done.insert(number, (outcome, began.elapsed()));
            progress::show("simulated", done.len(), jobs.len());
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..cores.min(jobs.len())).for_each(|_| _ = scope.spawn(work)));
    done.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().collect()
}

/// What must never be, with the run in which it was seen.
pub(crate) fn violations(cases: &[Case]) -> impl Iterator<Item = String> {
    let runs = cases.iter().flat_map(|case| case.outcomes.iter().map(move |outcome| (case, outcome)));
    runs.flat_map(|(Case { rule, supply, .. }, Outcome { seed, violations, .. })| {
        let told = move |text| format!("{}, {}, seed {seed}: {text}", rule.name, supply.name);
        violations.first.iter().map(told)
    })
}

/// Whether what must be shown is shown.
pub(crate) fn check(cases: &[Case]) -> anyhow::Result<()> {
    let violations: Vec<_> = violations(cases).collect();
    anyhow::ensure!(violations.is_empty(), "what must never be was seen: {}", violations.join("; "));
    let lead = lead(cases, TIGHT)?;
    anyhow::ensure!(
        lead >= LEAD,
        "where drivers are tight {OURS} serves {lead:.1} points more than {BASELINE}, not {LEAD:.0}"
    );
    let lead = self::lead(cases, LOOSE)?;
    anyhow::ensure!(
        lead >= -TOLERANCE,
        "where drivers are loose {OURS} serves {:.1} points less than {BASELINE}",
        -lead
    );
    Ok(())
}

/// How many points more ours serves than the baseline.
fn lead(cases: &[Case], supply: &str) -> anyhow::Result<f64> {
    let served = |rule: &str| {
        let case = cases.iter().find(|case| case.rule.name == rule && case.supply.name == supply);
        let case = case.with_context(|| format!("--check needs the rule {rule} and the supply {supply}"))?;
        Ok::<_, anyhow::Error>(over(&case.runs, |run| run.served).0)
    };
    Ok(served(OURS)? - served(BASELINE)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::simulate::{
        moment::{SECOND, at},
        outcome::{End, OfferEnds, OrderOutcome, Violations},
        rules,
    };

    /// A rule that serves so many of a thousand orders.
    fn case(rule: &str, supply: &str, served: usize) -> Case {
        let taken = End::Accepted { after: Duration::ZERO, pickup_km: 0.0, wait: Duration::ZERO };
        let order = |n| if n < served { taken } else { End::Left(Duration::ZERO) };
        let orders = (0..1_000).map(|n| OrderOutcome { requested_at: at(0), offers: 1, end: order(n) }).collect();
        let (offers, violations) = (OfferEnds::default(), Violations::default());
        let outcome = Outcome { seed: 2, orders, offers, idle: 0.0, violations, simulated: Duration::from_secs(1) };
        let runs = vec![Metrics::new(&outcome, Duration::from_secs(1))];
        let rule = rules::parse(rule).unwrap().remove(0);
        Case { rule, supply: supply.parse().unwrap(), runs, outcomes: vec![outcome] }
    }

    fn cases(tight: [usize; 2], loose: [usize; 2]) -> Vec<Case> {
        let of = |supply, [ours, other]: [usize; 2]| [case(OURS, supply, ours), case(BASELINE, supply, other)];
        of(TIGHT, tight).into_iter().chain(of(LOOSE, loose)).collect()
    }

    #[test]
    fn ten_points_where_tight_and_nothing_lost_where_loose() {
        check(&cases([900, 800], [950, 950])).unwrap();
        let error = |cases: &[Case]| check(cases).unwrap_err().to_string();
        assert_eq!(
            error(&cases([899, 800], [950, 950])),
            "where drivers are tight nearest serves 9.9 points more than oldest-300, not 10"
        );
        assert_eq!(
            error(&cases([900, 700], [900, 950])),
            "where drivers are loose nearest serves 5.0 points less than oldest-300"
        );
        assert!(error(&cases([900, 700], [950, 900])[..2]).contains("needs the rule nearest and the supply loose"));
    }

    #[test]
    fn trips_that_are_over_before_any_counts_are_refused() {
        let here = demand::point(0.0, 0.0).unwrap();
        let trip = |second| Trip { requested_at: at(second * SECOND), from: here, to: here };
        let count = |warm_up| ensure_some_count(&[trip(90), trip(0)], Duration::from_secs(warm_up));
        let told = "the trips span 90 s, and --warm-up leaves out the first 90 s: no order would count";
        assert_eq!(count(90).unwrap_err().to_string(), told);
        assert!(count(89).is_ok() && ensure_some_count(&[trip(0)], Duration::ZERO).is_ok());
    }

    #[test]
    fn a_violation_is_enough_to_fail() {
        let mut cases = cases([900, 700], [950, 900]);
        cases[3].outcomes[0].violations.add(|| "two drivers".to_owned());
        let told = ["oldest-300, loose, seed 2: two drivers"];
        assert_eq!(violations(&cases).collect::<Vec<_>>(), told);
        assert_eq!(check(&cases).unwrap_err().to_string(), format!("what must never be was seen: {}", told[0]));
    }
}
