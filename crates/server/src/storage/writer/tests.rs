use std::{
    future::Future,
    sync::{atomic::AtomicI64, mpsc as blocking},
    thread,
};

use holodrive_protocol::Timestamp;

use tempfile::TempDir;

use super::*;
use crate::{
    clock::Clock,
    config::Config,
    storage::{StorageOptions, TimeSource, migrations},
};

/// Tells another time whenever it is asked: each transaction has its own.
struct Ticking(AtomicI64);

impl Clock for Ticking {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// A writer on a database with a table `thing`.
struct Scene {
    writer: Writer,
    _folder: TempDir,
}

fn scene(batch: usize) -> Scene {
    // As the storage does it: not on a thread that drives tasks.
    thread::spawn(move || make_scene(batch)).join().unwrap()
}

fn make_scene(batch: usize) -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let options = StorageOptions::from(&Config::for_tests(folder.path(), &[]).unwrap());
    let clock = || Arc::new(DatabaseClock::new(Arc::new(Ticking(AtomicI64::new(0))), TimeSource::Given));
    migrations::run(&options, &clock()).unwrap();
    let mut connection = Connection::open(&options).unwrap();
    let mut transaction = connection.begin(Access::Write).unwrap();
    transaction.batch("CREATE TABLE thing (id BIGINT)").unwrap();
    transaction.commit().unwrap();
    let (metrics, outbox) = (Arc::new(Metrics::new()), Arc::new(Outbox::new()));
    Scene { writer: Writer::start(connection, batch, clock(), metrics, outbox).unwrap(), _folder: folder }
}

/// Lets writes wait for another one, until all of them do.
async fn behind_another<T>(writer: &Writer, others: impl Future<Output = T>) -> T {
    let ((begun, begins), (release, released)) = (oneshot::channel(), blocking::channel());
    let busy = writer.clone();
    let first = tokio::spawn(async move {
        let wait = move |_: &mut Tx<'_>| {
            begun.send(()).unwrap();
            released.recv().map_err(|_| StorageError::Unavailable)
        };
        busy.write(Guard::Savepoint, wait).await
    });
    begins.await.unwrap();
    // Both are polled in this order, so that the writes wait when the writer goes on.
    let (outcome, ()) = tokio::join!(others, async { release.send(()).unwrap() });
    first.await.unwrap().unwrap();
    outcome
}

/// The transactions of four writes that were waiting for a fifth, in which they are numbered from 1.
async fn transactions_of_four(batch: usize) -> [i64; 4] {
    let Scene { writer, _folder } = &scene(batch);
    let time = |tx: &mut Tx<'_>| Ok::<_, StorageError>(tx.now().as_micros());
    let write = || writer.write(Guard::Savepoint, time);
    let four = async { tokio::join!(write(), write(), write(), write()) };
    let (a, b, c, d) = behind_another(writer, four).await;
    [a, b, c, d].map(Result::unwrap)
}

#[tokio::test]
async fn waiting_writes_share_a_transaction_up_to_the_limit() {
    assert_eq!(transactions_of_four(256).await, [1, 1, 1, 1]);
    assert_eq!(transactions_of_four(3).await, [1, 1, 1, 2]);
    assert_eq!(transactions_of_four(1).await, [1, 2, 3, 4]);
}

/// What a write does before it fails.
#[derive(Clone, Copy)]
enum Before {
    Nothing,
    Write,
    Panic,
    FailedStatement,
}

fn store(tx: &mut Tx<'_>) -> Result<(), StorageError> {
    tx.execute("INSERT INTO thing VALUES (1)", &[]).map(drop)
}

fn fail(tx: &mut Tx<'_>, before: Before) -> Result<(), StorageError> {
    match before {
        Before::Nothing => {}
        Before::Write => store(tx)?,
        Before::Panic => panic!("a job that panics"),
        Before::FailedStatement => tx.execute("INSERT INTO nothing VALUES (1)", &[]).map(drop)?,
    }
    Err(StorageError::Unavailable)
}

/// How many of two writes were acknowledged, and how many are stored, with one that fails between them.
async fn around(guard: Guard, before: Before) -> (usize, usize) {
    let Scene { writer, _folder } = &scene(256);
    let three = async {
        tokio::join!(
            writer.write(Guard::None, store),
            writer.write(guard, move |tx: &mut Tx<'_>| fail(tx, before)),
            writer.write(Guard::None, store),
        )
    };
    let (first, failing, last) = behind_another(writer, three).await;
    assert!(failing.is_err());
    let count = |tx: &mut Tx<'_>| tx.query("SELECT id FROM thing", &[]).map(|rows| rows.len());
    let stored = writer.write(Guard::Savepoint, count).await.unwrap();
    ([first, last].iter().filter(|write| write.is_ok()).count(), stored)
}

#[tokio::test]
async fn an_error_undoes_what_its_job_wrote() {
    for before in [Before::Nothing, Before::Write, Before::Panic, Before::FailedStatement] {
        assert_eq!(around(Guard::Savepoint, before).await, (2, 2));
    }
}

#[tokio::test]
async fn a_refusal_before_the_first_write_leaves_the_others_alone() {
    for before in [Before::Nothing, Before::Panic] {
        assert_eq!(around(Guard::None, before).await, (2, 2));
    }
}

#[tokio::test]
async fn a_failure_halfway_without_a_guard_undoes_the_transaction_and_nobody_is_acknowledged() {
    for before in [Before::Write, Before::FailedStatement] {
        assert_eq!(around(Guard::None, before).await, (0, 0));
    }
}
