//! Transitions that race on the real storage, with its group commit, beside the real dispatcher: many do whatever they like
//! to few orders and few drivers, each by what he saw a moment before. The invariants are looked at all the while.
//!
//! A normal run is a short one. A million:
//!
//! ```text
//! HOLODRIVE_TRANSITIONS=1000000 cargo test -p holodrive --lib orders::tests::million -- --nocapture
//! python3 acceptance/postgres_server.py env HOLODRIVE_TRANSITIONS=1000000 \
//!     cargo test -p holodrive --lib orders::tests::million -- --nocapture
//! ```
//!
//! A transition is what leaves an entry in the history of an order, so the entries are the count of those that won. On
//! PostgreSQL there are two nodes.

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

use super::{
    super::{OrderError, Orders, store},
    deeds::{Cast, Deed, deed},
    invariants::{Look, violations},
    sabotage::Sabotage,
    simulation::{number, runner},
    town::Town,
};
use crate::{
    storage::{Dialect, Row, Tx},
    testing::on_threads,
};

/// Of a normal run.
const TRANSITIONS: i64 = 2_000;
/// Who do something at the same time, at each node.
const RACERS: u64 = 32;
const DRIVERS: usize = 6;
const OPEN_ORDERS: usize = 10;
/// What is so far back was looked at before, unless it is still open.
const LOOKED_AT: OrderId = 100;

#[test]
fn racing_transitions_leave_the_invariants_alone() {
    let transitions = number("HOLODRIVE_TRANSITIONS").map_or(TRANSITIONS, |number| i64::try_from(number).unwrap());
    let report = on_threads(run(transitions, None));
    report.print();
    assert!(report.violations.is_empty(), "{:#?}", report.violations);
    assert!(report.won() >= transitions);
    for kind in ["accepted", "offer_declined", "offer_expired", "offer_revoked", "released", "completed", "cancelled"] {
        assert!(report.entries.contains_key(kind), "there was no {kind}");
    }
    assert!(report.refused.values().sum::<u64>() > 0, "nobody was too late for anything");
}

/// What came of it.
pub(super) struct Report {
    entries: BTreeMap<String, i64>,
    refused: BTreeMap<&'static str, u64>,
    pub(super) violations: Vec<String>,
    looks: u64,
    took: Duration,
}

impl Report {
    fn won(&self) -> i64 {
        self.entries.values().sum()
    }

    fn print(&self) {
        let (won, seconds) = (self.won(), self.took.as_secs_f64());
        println!(
            "{won} transitions in {seconds:.1} s, looked at {} times, {} violations",
            self.looks,
            self.violations.len()
        );
        println!("won: {:?}", self.entries);
        println!("refused: {:?}", self.refused);
    }
}

/// What all share.
struct Arena {
    cast: Cast,
    is_over: AtomicBool,
    refused: Mutex<BTreeMap<&'static str, u64>>,
    violations: Mutex<Vec<String>>,
}

pub(super) async fn run(transitions: i64, sabotage: Option<Sabotage>) -> Report {
    let town = open().await;
    let mut drivers = Vec::new();
    for number in 0..DRIVERS {
        drivers.push(town.driver_at(&format!("driver{number}"), 1.0).await);
    }
    let mut cast = Cast::new(&town, drivers);
    cast.looks_before_accepting = sabotage == Some(Sabotage::CheckThenSave);
    cast.most_open = OPEN_ORDERS;
    let mut nodes = vec![town];
    if nodes[0].write(|_, tx| Ok(tx.dialect())).await.unwrap() == Dialect::Postgres {
        nodes.push(nodes[0].node().await);
    }
    let arena = Arc::new(Arena {
        cast,
        is_over: AtomicBool::new(false),
        refused: Mutex::default(),
        violations: Mutex::default(),
    });
    let (mut racers, mut dispatchers) = (JoinSet::new(), JoinSet::new());
    for (node, town) in nodes.iter().enumerate() {
        if let Some(sabotage) = sabotage {
            sabotage.commit(town).await;
        }
        dispatchers.spawn(Arc::clone(&town.orders).dispatch_for_ever());
        for racer in 0..RACERS {
            let seed = racer + RACERS * node as u64;
            racers.spawn(Arc::clone(&arena).race(Arc::clone(&town.orders), Arc::clone(&town.clock), seed));
        }
    }
    let begun = Instant::now();
    let looks = arena.watch(&nodes[0], transitions).await;
    racers.join_all().await;
    let took = begun.elapsed();
    dispatchers.shutdown().await;
    if sabotage.is_none() {
        arena.end(&nodes).await;
    }
    let (refused, violations) = (arena.refused.lock().clone(), arena.violations.lock().clone());
    Report { entries: entries(&nodes[0].orders).await, refused, violations, looks, took }
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

impl Arena {
    /// Does one thing after another until it is over.
    async fn race(self: Arc<Self>, orders: Arc<Orders>, clock: Arc<crate::clock::ManualClock>, seed: u64) {
        let mut runner = runner(seed, 0);
        while !self.is_over.load(Ordering::Relaxed) {
            let deed = deed(DRIVERS).new_tree(&mut runner).unwrap().current();
            if matches!(deed, Deed::Sweep) {
                clock.advance(Duration::from_secs(1));
            }
            match self.perform(deed, &orders).await {
                Ok(()) => {}
                Err(OrderError::Storage(error)) => self.violations.lock().push(format!("{deed:?}: {error}")),
                Err(_) => *self.refused.lock().entry(deed.name()).or_default() += 1,
            }
        }
    }

    /// He looks first; when he comes to act, others have acted.
    async fn perform(self: &Arc<Self>, deed: Deed, orders: &Arc<Orders>) -> Result<(), OrderError> {
        let (arena, on) = (Arc::clone(self), Arc::clone(orders));
        let Some(id) = orders.storage.read(move |tx| deed.aim(&arena.cast, tx)).await? else { return Ok(()) };
        let arena = Arc::clone(self);
        orders.storage.write(move |tx| deed.act(id, &arena.cast, &on, tx)).await
    }

    /// Looks again and again, until there were enough transitions or something does not hold; tells how often it looked.
    async fn watch(&self, town: &Town, transitions: i64) -> u64 {
        let mut looks = 0;
        loop {
            sleep(Duration::from_millis(500)).await;
            let look = Look::at(&town.orders);
            let seen = town.orders.storage.read(move |tx| Ok::<_, OrderError>(see(tx, look))).await.unwrap();
            looks += 1;
            self.violations.lock().extend(seen.violations);
            if looks % 10 == 0 {
                println!("{} transitions, refused: {:?}", seen.entries, self.refused.lock());
            }
            if seen.entries >= transitions || !self.violations.lock().is_empty() {
                self.is_over.store(true, Ordering::Relaxed);
                return looks;
            }
        }
    }

    /// Nobody does anything any more: whatever is open comes to an end.
    async fn end(&self, nodes: &[Town]) {
        for round in 0..60 {
            nodes[round % nodes.len()].pass(Duration::from_secs(3)).await;
        }
        let town = &nodes[0];
        let late = town.late().await.into_iter().map(|row| format!("I6, I7: late: {row:?}"));
        self.violations.lock().extend(late);
        let open = town.write(|_, tx| Ok(store::unfinished(tx)?)).await.unwrap().into_iter();
        let forgotten = open.filter(|order| matches!(order.status, OrderStatus::Searching | OrderStatus::Pending));
        self.violations.lock().extend(forgotten.map(|order| format!("I7: order {} is forgotten", order.id)));
        let look = Look::at(&town.orders);
        let found = town.orders.storage.read(move |tx| Ok::<_, OrderError>(violations(tx, look))).await.unwrap();
        self.violations.lock().extend(found);
    }
}

/// One look at the latest orders and all that are open.
struct Seen {
    entries: i64,
    violations: Vec<String>,
}

fn see(tx: &mut Tx<'_>, look: Look) -> Seen {
    let entries = tx.query_one("SELECT COUNT(*) FROM holodrive_order_event", &[]).unwrap().unwrap().first().unwrap();
    let newest = store::page(tx, store::Scope::All, None, OrderId::MAX, 1).unwrap().pop().map_or(0, |order| order.id);
    let oldest = store::unfinished(tx).unwrap().first().map_or(newest, |order| order.id);
    let from = oldest.min(newest - LOOKED_AT);
    Seen { entries, violations: violations(tx, Look { from, ..look }) }
}

/// How many entries the histories have, by type.
async fn entries(orders: &Arc<Orders>) -> BTreeMap<String, i64> {
    let sql = "SELECT type, COUNT(*) FROM holodrive_order_event GROUP BY type";
    let rows = orders.storage.read(move |tx| tx.query(sql, &[])).await.unwrap().into_iter().map(Row::columns);
    rows.map(|mut row| (row.take().unwrap(), row.take().unwrap())).collect()
}
