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
    assert_eq!(clock.begin(Some(at(7))), at(7));
    node.advance(Duration::from_micros(5));
    assert_eq!(clock.now(), at(12));
    assert_eq!(clock.begin(Some(at(11))), at(11), "the server's word counts, also where it goes back");
    assert_eq!(clock.now(), at(11));
}

#[test]
fn a_given_clock_is_the_only_one() {
    let node = Arc::new(ManualClock::at(at(HOUR)));
    let clock = DatabaseClock::new(Arc::clone(&node) as _, TimeSource::Given);
    assert_eq!(clock.begin(Some(at(7))), at(HOUR));
    assert_eq!(clock.begin(None), at(HOUR));
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
