//! Transitions that race on the real storage, with its group commit, beside the real dispatchers of two nodes: many do whatever they
//! like to few orders and few drivers, each by what he saw a moment before.
//!
//! A normal run is a short one. A million:
//!
//! ```text
//! HOLODRIVE_TRANSITIONS=1000000 cargo test -p holodrive --lib orders::tests::million -- --nocapture
//! python3 acceptance/postgres_server.py env HOLODRIVE_TRANSITIONS=1000000 \
//!     cargo test -p holodrive --lib orders::tests::million -- --nocapture
//! ```
//!
//! `HOLODRIVE_SEED` makes other people of the racers.
//!
//! | file | holds |
//! |---|---|
//! | `view` | what somebody sees, and what he makes of it: mostly what is possible, so that he fails where somebody was quicker |
//! | `ears` | what drivers' connections hear at each node |
//!
//! Every entry of every history is replayed in the order of the commits, whole (I1 to I4, I8 between any two of them); what the tables
//! hold is looked at twice a second. A transition counts where it takes something that others were after: not that an order is
//! made, and not that an offer is delivered.

mod ears;
mod view;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use holodrive_protocol::{OrderId, OrderStatus};
use parking_lot::Mutex;
use proptest::strategy::{Strategy, ValueTree};
use tokio::{task::JoinSet, time::sleep};

use self::{
    ears::Ears,
    view::{Intent, View},
};
use super::{
    super::{OrderError, Orders, store},
    deeds::{Cast, Deed, deed},
    invariants::{Look, violations},
    replay::Replay,
    sabotage::Sabotage,
    simulation::{number, runner},
    town::{Town, dispatcher_failures},
};
use crate::{clock::ManualClock, testing::on_threads};

/// Of a normal run.
const TRANSITIONS: i64 = 2_000;
/// Who do something at the same time, at each node.
const RACERS: u64 = 16;
const DRIVERS: usize = 6;
const OPEN_ORDERS: usize = 10;
/// What is so far back was looked at before, unless it is still open.
const LOOKED_AT: OrderId = 100;
/// How often people look up.
const LOOK_UP_INTERVAL: Duration = Duration::from_millis(5);
/// How often the invariants are looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// How often progress is told, in looks.
const TELL_AFTER: u64 = 20;

/// Entries that are no race won.
const NOT_CONTESTED: &[&str] = &["created", "delivered"];

#[test]
fn racing_transitions_leave_the_invariants_alone() {
    let transitions = number("HOLODRIVE_TRANSITIONS").map_or(TRANSITIONS, |number| i64::try_from(number).unwrap());
    let report = on_threads(run(transitions, None));
    report.print();
    assert!(report.violations.is_empty(), "{:#?}", report.violations);
    assert!(report.won() >= transitions);
    let won = ["offered", "accepted", "offer_declined", "offer_expired", "released", "unassigned", "cancelled"];
    for kind in won.into_iter().chain(["offer_revoked", "arrived", "started", "completed"]) {
        assert!(report.entries.contains_key(kind), "there was no {kind}");
    }
    for kind in ["accept", "decline", "step", "cancel"] {
        assert!(report.lost.contains_key(kind), "nobody was too late to {kind}");
    }
}

/// What came of it.
pub(super) struct Report {
    entries: BTreeMap<String, i64>,
    lost: BTreeMap<&'static str, u64>,
    refused: BTreeMap<&'static str, u64>,
    pub(super) violations: Vec<String>,
    looks: u64,
    took: Duration,
}

impl Report {
    fn won(&self) -> i64 {
        won(&self.entries)
    }

    fn print(&self) {
        let (won, lost, seconds) = (self.won(), self.lost.values().sum::<u64>(), self.took.as_secs_f64());
        println!(
            "{won} races won and {lost} lost in {seconds:.1} s, {} entries replayed, the tables looked at {} times, {} violations",
            self.entries.values().sum::<i64>(),
            self.looks,
            self.violations.len()
        );
        println!("entries: {:?}", self.entries);
        println!("lost, though possible a moment before: {:?}", self.lost);
        println!("refused, as was to be expected: {:?}", self.refused);
    }
}

fn won(entries: &BTreeMap<String, i64>) -> i64 {
    entries.iter().filter(|(kind, _)| !NOT_CONTESTED.contains(&kind.as_str())).map(|(_, count)| count).sum()
}

/// What all share.
struct Arena {
    cast: Cast,
    ears: Ears,
    is_over: AtomicBool,
    lost: Mutex<BTreeMap<&'static str, u64>>,
    refused: Mutex<BTreeMap<&'static str, u64>>,
    violations: Mutex<Vec<String>>,
}

pub(super) async fn run(transitions: i64, sabotage: Option<Sabotage>) -> Report {
    let town = open().await;
    let mut drivers = Vec::new();
    for number in 0..DRIVERS {
        drivers.push(town.driver_at(&format!("driver{number}"), 1.0).await);
    }
    let nodes = [town.node().await, town];
    let mut cast = Cast::new(&nodes[0], drivers);
    cast.looks_before_accepting = sabotage == Some(Sabotage::CheckThenSave);
    cast.most_open = OPEN_ORDERS;
    let arena = Arc::new(Arena {
        ears: Ears::open(&nodes, &cast.drivers),
        cast,
        is_over: AtomicBool::new(false),
        lost: Mutex::default(),
        refused: Mutex::default(),
        violations: Mutex::default(),
    });
    let (mut racers, mut servers) = (JoinSet::new(), JoinSet::new());
    for (node, town) in (0..).zip(&nodes) {
        if let Some(sabotage) = sabotage {
            sabotage.commit(town).await;
        }
        servers.spawn(Arc::clone(&town.orders).dispatch_for_ever());
        servers.spawn(town.orders.storage.clone().follow_for_ever());
        let view = Arc::<Mutex<Arc<View>>>::default();
        servers.spawn(look_up_for_ever(Arc::clone(&town.orders), Arc::clone(&view)));
        let people = RACERS * (node + number("HOLODRIVE_SEED").unwrap_or_default() * 2);
        for seed in people..people + RACERS {
            let (orders, clock) = (Arc::clone(&town.orders), Arc::clone(&town.clock));
            racers.spawn(Arc::clone(&arena).race(Racer { orders, clock, view: Arc::clone(&view), seed }));
        }
    }
    let begun = Instant::now();
    let mut replay = Replay::new(Look::at(&nodes[0].orders));
    let looks = arena.watch(&nodes[0], &mut replay, transitions).await;
    racers.join_all().await;
    let took = begun.elapsed();
    servers.shutdown().await;
    if sabotage.is_none() {
        arena.end(&nodes, &mut replay).await;
    }
    let (lost, refused) = (arena.lost.lock().clone(), arena.refused.lock().clone());
    let violations = arena.violations.lock().clone();
    Report { entries: replay.entries, lost, refused, violations, looks, took }
}

async fn open() -> Town {
    Town::new(&[
        ("ORDER_OFFERS_PER_DRIVER", "2"),
        ("ORDER_OFFER_TIMEOUT", "3"),
        ("ORDER_OFFER_UNREACHABLE_TIMEOUT", "2"),
        ("ORDER_REOFFER_AFTER", "0.5"),
        ("ORDER_SEARCH_TIMEOUT", "20"),
        ("ORDER_SCHEDULE_LEAD", "60"),
        ("DRIVER_STALE_AFTER", "3600"),
    ])
    .await
}

/// Everybody at a node looks up now and then; what he sees is old when he acts.
async fn look_up_for_ever(orders: Arc<Orders>, view: Arc<Mutex<Arc<View>>>) {
    loop {
        let seen = orders.storage.read(View::read).await.unwrap();
        *view.lock() = Arc::new(seen);
        sleep(LOOK_UP_INTERVAL).await;
    }
}

/// Somebody at a node.
struct Racer {
    orders: Arc<Orders>,
    clock: Arc<ManualClock>,
    view: Arc<Mutex<Arc<View>>>,
    seed: u64,
}

impl Arena {
    /// Does one thing after another until it is over.
    async fn race(self: Arc<Self>, racer: Racer) {
        let mut runner = runner(racer.seed, 0);
        while !self.is_over.load(Ordering::Relaxed) {
            let wish = deed(DRIVERS).new_tree(&mut runner).unwrap().current();
            if matches!(wish, Deed::Sweep) {
                racer.clock.advance(Duration::from_secs(1));
            }
            let seen = Arc::clone(&racer.view.lock());
            match seen.aim(wish, &self.cast) {
                Some(intent) => self.perform(intent, &racer.orders).await,
                None => tokio::task::yield_now().await,
            }
        }
    }

    async fn perform(self: &Arc<Self>, intent: Intent, orders: &Arc<Orders>) {
        let (arena, on, Intent { deed, order, was_possible }) = (Arc::clone(self), Arc::clone(orders), intent);
        match orders.storage.write(move |tx| deed.act(order, &arena.cast, &on, tx)).await {
            Ok(()) => {}
            Err(OrderError::Storage(error)) => self.violations.lock().push(format!("{deed:?}: {error}")),
            Err(_) => {
                let refusals = if was_possible { &self.lost } else { &self.refused };
                *refusals.lock().entry(deed.name()).or_default() += 1;
            }
        }
    }

    /// Looks again and again, until there were enough transitions or something does not hold; tells how often it looked.
    async fn watch(&self, town: &Town, replay: &mut Replay, transitions: i64) -> u64 {
        for looks in 1.. {
            sleep(LOOK_INTERVAL).await;
            self.look(town, replay, |view, look| {
                let newest = view.newest;
                Look { from: view.oldest().unwrap_or(newest).min(newest - LOOKED_AT), ..look }
            })
            .await;
            let won = won(&replay.entries);
            if looks % TELL_AFTER == 0 {
                println!("{won} races won");
            }
            if won >= transitions || !self.violations.lock().is_empty() {
                self.is_over.store(true, Ordering::Relaxed);
                return looks;
            }
        }
        unreachable!("it looks for ever")
    }

    async fn look(&self, town: &Town, replay: &mut Replay, narrow: fn(&View, Look) -> Look) {
        let (look, mut replayed) =
            (Look::at(&town.orders), std::mem::replace(replay, Replay::new(Look::at(&town.orders))));
        let read = move |tx: &mut crate::storage::Tx<'_>| {
            replayed.read_on(tx);
            let look = narrow(&View::read(tx)?, look);
            Ok::<_, OrderError>((replayed, violations(tx, look)))
        };
        let (replayed, found) = town.orders.storage.read(read).await.unwrap();
        *replay = replayed;
        let mut violations = self.violations.lock();
        violations.append(&mut replay.violations);
        violations.extend(found);
        violations.extend(self.ears.violations());
    }

    /// Nobody does anything any more: whatever is open comes to an end.
    async fn end(&self, nodes: &[Town; 2], replay: &mut Replay) {
        for round in 0..60 {
            nodes[round % nodes.len()].pass(Duration::from_secs(3)).await;
        }
        for town in nodes {
            town.catch_up().await;
        }
        let town = &nodes[0];
        self.look(town, replay, |_, look| look).await;
        let late = town.late().await.into_iter().map(|row| format!("I6, I7: late: {row:?}"));
        let open = town.write(|_, tx| Ok(store::unfinished(tx)?)).await.unwrap().into_iter();
        let forgotten = open.filter(|order| matches!(order.status, OrderStatus::Searching | OrderStatus::Pending));
        let forgotten = forgotten.map(|order| format!("I7: order {} is forgotten", order.id));
        let failures = nodes.iter().filter_map(|town| dispatcher_failures(&town.orders));
        let missed = nodes.iter().filter(|town| *town.orders.storage.misses().borrow() > 0);
        let missed = missed.map(|_| "a node was taken for dead".to_owned());
        self.violations.lock().extend(late.chain(forgotten).chain(self.ears.untold()).chain(failures).chain(missed));
    }
}
