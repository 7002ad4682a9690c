use std::{path::Path, sync::Arc, time::Duration};

use super::*;
use crate::{
    clock::{ManualClock, SystemClock},
    config::Config,
    storage::{Dialect, Storage, StorageError, StorageOptions, Tx},
    telemetry::Metrics,
};

const HOUR: i64 = 3_600_000_000;
const MINUTE: i64 = 60_000_000;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

#[test]
fn between_transactions_the_nodes_clock_goes_on_from_what_the_server_told() {
    let node = Arc::new(ManualClock::at(at(HOUR)));
    let clock = DatabaseClock::new(Arc::clone(&node) as _, TimeSource::Database);
    assert_eq!(clock.begin(clock.ask(), Some(at(7))), at(7));
    node.advance(Duration::from_micros(5));
    assert_eq!(clock.now(), at(12));
    assert_eq!(clock.begin(clock.ask(), Some(at(11))), at(11), "the server's word counts, also where it goes back");
    assert_eq!(clock.now(), at(11));
}

/// A server whose clock is so far from the node's, asked with the answer under way for some time each way.
struct Far {
    node: Arc<ManualClock>,
    clock: DatabaseClock,
    ahead_by: i64,
}

impl Far {
    fn ahead_by(ahead_by: i64) -> Self {
        let node = Arc::new(ManualClock::at(at(HOUR)));
        Self { clock: DatabaseClock::new(Arc::clone(&node) as _, TimeSource::Database), node, ahead_by }
    }

    fn there(&self) -> Timestamp {
        at(self.node.now().as_micros() + self.ahead_by)
    }

    fn ask(&self, way_there: u64, way_back: u64) {
        let asked = self.clock.ask();
        self.node.advance(Duration::from_micros(way_there));
        let told = self.there();
        self.node.advance(Duration::from_micros(way_back));
        self.clock.begin(asked, Some(told));
    }

    fn lag(&self) -> i64 {
        let present = self.clock.present();
        assert!(self.there() <= present.latest, "{} is later than {present:?}", self.there());
        self.there().as_micros() - present.earliest.as_micros()
    }
}

#[test]
fn an_answer_that_was_long_on_its_way_does_not_set_the_clock_back() {
    let server = Far::ahead_by(-10 * HOUR);
    server.ask(50, 100);
    assert_eq!(server.lag(), 100);
    server.ask(20_000, 2_000_000);
    assert!((100..5_000).contains(&server.lag()), "{}", server.lag());
    server.ask(10, 30);
    assert_eq!(server.lag(), 30, "a quicker one makes it better");
}

#[test]
fn a_clock_that_was_set_is_followed_at_once_and_never_overtaken() {
    for jump in [-HOUR, -200, 200, HOUR] {
        let mut server = Far::ahead_by(HOUR);
        server.ask(50, 50);
        server.ahead_by += jump;
        server.ask(60, 70);
        assert!((0..=70 + jump.abs().min(200)).contains(&server.lag()), "{jump}: {}", server.lag());
    }
}

#[test]
fn clocks_that_drift_apart_do_not_make_it_run_ahead() {
    let mut server = Far::ahead_by(HOUR);
    server.ask(50, 50);
    for _ in 0..1_000 {
        server.node.advance(Duration::from_secs(1));
        // As fast as NTP slews.
        server.ahead_by -= 500;
        server.ask(10_000, 10_000);
        assert!((0..=10_000).contains(&server.lag()), "{}", server.lag());
    }
}

#[test]
fn a_given_clock_is_the_only_one() {
    let node = Arc::new(ManualClock::at(at(HOUR)));
    let clock = DatabaseClock::new(Arc::clone(&node) as _, TimeSource::Given);
    assert_eq!(clock.begin(clock.ask(), Some(at(7))), at(HOUR));
    assert_eq!(clock.begin(clock.ask(), None), at(HOUR));
}

/// A node whose clock is wrong by so many microseconds.
struct Wrong(i64);

impl Clock for Wrong {
    fn now(&self) -> Timestamp {
        at(SystemClock.now().as_micros() + self.0)
    }
}

fn node(folder: &Path, wrong_by: i64) -> Storage {
    let options = StorageOptions::from(&Config::for_tests(folder, &[]).unwrap());
    Storage::open(&options, Arc::new(Wrong(wrong_by)), Arc::new(Metrics::new())).unwrap()
}

async fn moment(storage: &Storage) -> (Timestamp, Dialect) {
    storage.write(|tx| Ok::<_, StorageError>((tx.now(), tx.dialect()))).await.unwrap()
}

/// SQLite is within the process, so that its clock is the node's.
#[tokio::test]
async fn nodes_with_wrong_clocks_agree_on_the_time_of_their_server() {
    let folder = tempfile::tempdir().unwrap();
    let nodes = [node(folder.path(), HOUR), node(folder.path(), -HOUR)];
    let mut last = at(i64::MIN);
    for round in 0..20 {
        let storage = &nodes[round % 2];
        let before = storage.clock().now();
        let (now, dialect) = moment(storage).await;
        assert!(before <= now, "the node's view is never ahead, not even before its first transaction");
        let wrong_by = now.as_micros() - SystemClock.now().as_micros();
        match dialect {
            Dialect::Postgres => {
                assert!(last < now, "times grow in the order of the commits");
                assert!(wrong_by.abs() < MINUTE, "{wrong_by}");
            }
            Dialect::Sqlite => assert!(wrong_by.abs() > HOUR - MINUTE, "{wrong_by}"),
        }
        last = now;
        let read = storage.read(|tx: &mut Tx<'_>| Ok::<_, StorageError>(tx.now())).await.unwrap();
        assert!((read.as_micros() - now.as_micros()).abs() < MINUTE, "who reads has the same clock");
    }
}
