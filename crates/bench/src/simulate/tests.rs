#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use super::{args::tests::args, comparison::Days, core, outcome::Outcome, rules, scenario::Scenario};

/// The evening rush of seed 1, shorter, and with so many drivers that they are just too few.
fn evening(hours: &str, drivers: u64, seed: usize) -> (super::Args, Scenario) {
    let args = args(&["--hours", hours, "--requests-per-hour", "300", "--seeds", "2", "--warm-up", "900"]);
    let supply = super::args::Supply { name: String::new(), drivers };
    let scenario = Days::load(&args).unwrap().scenarios(&supply, &args).unwrap().swap_remove(seed);
    (args, scenario)
}

fn outcome(rule: &str, drivers: u64, seed: usize) -> Outcome {
    let (args, scenario) = evening("17-19", drivers, seed);
    let rule = rules::parse(rule).unwrap().remove(0);
    core::run(&scenario, &args.people, &rule.config().unwrap(), rule.mood)
}

fn served(outcome: &Outcome) -> f64 {
    super::metrics::Metrics::new(outcome, Duration::from_secs(1)).served
}

#[test]
fn the_same_seed_gives_the_same_outcome_under_every_rule() {
    for rule in rules::all() {
        assert_eq!(outcome(&rule.name, 92, 0), outcome(&rule.name, 92, 0), "{}", rule.name);
    }
    assert_ne!(outcome("nearest", 92, 0).orders, outcome("nearest", 92, 1).orders);
}

#[test]
fn nothing_that_must_never_be_is_ever_seen() {
    for rule in rules::all() {
        for drivers in [60, 140] {
            let outcome = outcome(&rule.name, drivers, 1);
            assert_eq!(outcome.violations.first, Vec::<String>::new(), "{} with {drivers} drivers", rule.name);
        }
    }
}

#[test]
fn ours_serves_more_where_drivers_are_tight_and_no_less_where_they_are_loose() {
    for seed in [0, 1] {
        let [ours, oldest] = ["nearest", "oldest-300"].map(|rule| served(&outcome(rule, 75, seed)));
        assert!(ours > oldest + 5.0, "tight, seed {seed}: {ours} and {oldest}");
        let [ours, oldest] = ["nearest", "oldest-300"].map(|rule| served(&outcome(rule, 160, seed)));
        assert!(ours > oldest, "loose, seed {seed}: {ours} and {oldest}");
    }
}

#[test]
fn an_operator_replays_his_own_trips_under_settings_of_his_own() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/demand/example.csv");
    let args =
        args(&["--demand", file, "--seeds", "1", "--drivers", "130", "--warm-up", "600", "--offer-timeout", "20"]);
    let cases = super::comparison::compare(&args, &Days::load(&args).unwrap()).unwrap();
    let [ours, yours] = cases.as_slice() else { panic!("two rules in one supply") };
    assert_eq!((ours.rule.name.as_str(), yours.rule.name.as_str()), ("nearest", "yours"));
    assert!(yours.runs[0].orders > 200.0 && yours.runs[0].age_p99 < ours.runs[0].age_p99);
    assert_eq!(yours.outcomes[0].violations.count, 0);
}
