//! Deterministic simulation of dispatch: two nodes on one database, drivers with their screens, a rider and staff do
//! whatever a seed says, while the clock jumps and nodes die. The invariants hold after every step, every screen is told of
//! each offer once and of its end once, and in the end no order is forgotten.
//!
//! | variable | effect |
//! |---|---|
//! | none | the first few seeds |
//! | `HOLODRIVE_SEED=17` | this one; a failure is printed with the command that replays it |
//! | `HOLODRIVE_SEEDS=100000` | seeds 1 to 100000, on all processors |
//!
//! ```text
//! HOLODRIVE_SEEDS=100000 cargo test -p holodrive --lib orders::tests::simulation -- --nocapture
//! ```
//!
//! The schedule of a seed is made smaller before it is printed: what is left is what the failure takes.

mod connected;
mod schedule;
mod world;

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::atomic::{AtomicU64, Ordering},
    thread::{available_parallelism, scope},
};

use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner},
};

use self::{
    schedule::{Schedule, schedule},
    world::World,
};
use super::sabotage::Sabotage;

/// Seeds of a normal run, and of one on PostgreSQL, where each takes longer.
const SEEDS: (u64, u64) = (25, 8);
/// Smaller schedules that are tried for one that fails.
const SHRINKS: u32 = 200;

/// The source of everything that is random in a run with this seed.
pub(super) fn runner(seed: u64, shrinks: u32) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { cases: 1, failure_persistence: None, max_shrink_iters: shrinks, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// Runs the schedule of a seed.
///
/// # Errors
/// What went wrong, with the schedule that it took.
pub(super) fn simulate(seed: u64, shrinks: u32, sabotage: Option<Sabotage>) -> Result<(), String> {
    let run = runner(seed, shrinks).run(&schedule(), |schedule| {
        play(schedule, sabotage);
        Ok(())
    });
    run.map_err(|error| match error {
        TestError::Fail(reason, schedule) => format!("{reason}\n{schedule:#?}"),
        TestError::Abort(reason) => reason.to_string(),
    })
}

/// What happened, step by step.
fn play(schedule: Schedule, sabotage: Option<Sabotage>) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(World::play(schedule, sabotage))
}

/// A setting of a test run.
pub(super) fn number(variable: &str) -> Option<u64> {
    let value = std::env::var(variable).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{variable}={value} is no number")))
}

#[test]
fn whatever_happens_the_invariants_hold() {
    let only = number("HOLODRIVE_SEED");
    let next = AtomicU64::new(only.unwrap_or(1));
    let few = if std::env::var_os("HOLODRIVE_TEST_POSTGRES").is_some() { SEEDS.1 } else { SEEDS.0 };
    let last = only.or_else(|| number("HOLODRIVE_SEEDS")).unwrap_or(few);
    let work = || {
        for seed in std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed)).take_while(|seed| *seed <= last) {
            if let Err(failure) = simulate(seed, SHRINKS, None) {
                panic!(
                    "{failure}\nseed {seed} fails; again:\n    \
                     HOLODRIVE_SEED={seed} cargo test -p holodrive --lib orders::tests::simulation"
                );
            }
        }
    };
    scope(|scope| {
        for _ in 0..available_parallelism().map_or(1, usize::from).min(4) {
            scope.spawn(work);
        }
    });
}

#[test]
fn a_seed_always_tells_the_same_story() {
    let mut stories = Vec::new();
    for seed in 1..=4 {
        let schedule = schedule().new_tree(&mut runner(seed, 0)).unwrap().current();
        let [once, again] = [schedule.clone(), schedule].map(|schedule| play(schedule, None));
        let differs = once.iter().zip(&again).position(|(one, other)| one != other);
        assert_eq!((differs.map(|at| (&once[at], &again[at])), once.len()), (None, again.len()), "seed {seed}");
        let mut hasher = DefaultHasher::new();
        once.hash(&mut hasher);
        stories.push(hasher.finish());
    }
    stories.sort_unstable();
    stories.dedup();
    assert_eq!(stories.len(), 4, "other seeds tell other stories");
}
