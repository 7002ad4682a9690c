//! The one writer: many waiting writes, one transaction, one sync.
//!
//! A write that finds the server idle is committed alone and at once; while a commit is on its way to the disk, others
//! gather and go together. Nothing is acknowledged before its commit.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use super::{StorageError, Tx, outbox::Outbox};
use crate::{clock::SharedClock, telemetry::Metrics};

/// Writes that may wait; a sender that finds the queue full waits as well, and so stops reading from its socket.
const QUEUE: usize = 4_096;

type Answer = Box<dyn FnOnce(Result<(), StorageError>) + Send>;
/// Runs in the transaction; `Err` means that it wants its own writes undone.
type Job = Box<dyn FnOnce(&mut Tx<'_>) -> Result<Answer, Answer> + Send>;

#[derive(Clone)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
    healthy: Arc<AtomicBool>,
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        batch: usize,
        clock: SharedClock,
        metrics: Arc<Metrics>,
        outbox: Arc<Outbox>,
    ) -> Result<Self, StorageError> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let healthy = Arc::new(AtomicBool::new(true));
        let worker = Worker { connection, batch: batch.max(1), clock, metrics, outbox, healthy: Arc::clone(&healthy) };
        std::thread::Builder::new()
            .name("storage-writer".into())
            .spawn(move || worker.run(queue))
            .map_err(|error| StorageError::Setup(format!("cannot start the writer: {error}")))?;
        Ok(Self { jobs, healthy })
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed)
    }

    pub(super) async fn write<T, E>(
        &self,
        job: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        let (answer, result) = oneshot::channel();
        let job: Job = Box::new(move |tx| {
            let outcome = job(tx);
            let keep = outcome.is_ok();
            let answer: Answer = Box::new(move |committed: Result<(), StorageError>| {
                // A caller that went away does not need the answer.
                let _ = answer.send(outcome.and_then(|value| committed.map(|()| value).map_err(E::from)));
            });
            if keep { Ok(answer) } else { Err(answer) }
        });
        self.jobs.send(job).await.map_err(|_| StorageError::Unavailable)?;
        result.await.map_err(|_| StorageError::Unavailable)?
    }
}

struct Worker {
    connection: Connection,
    /// Writes in one transaction: bounds how long the first of them waits for the last.
    batch: usize,
    clock: SharedClock,
    metrics: Arc<Metrics>,
    outbox: Arc<Outbox>,
    healthy: Arc<AtomicBool>,
}

impl Worker {
    fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        let mut batch = Vec::with_capacity(self.batch);
        while queue.blocking_recv_many(&mut batch, self.batch) > 0 {
            self.metrics.commit_batch(batch.len());
            self.commit(std::mem::take(&mut batch));
        }
    }

    fn commit(&mut self, batch: Vec<Job>) {
        let mut answers = Vec::with_capacity(batch.len());
        let changes = self.connection.total_changes();
        let committed = self.transaction(batch, &mut answers);
        // A commit of nothing succeeds on a broken disk, too.
        if committed.is_err() || self.connection.total_changes() != changes {
            self.healthy.store(committed.is_ok(), Ordering::Relaxed);
        }
        if let Err(error) = &committed {
            self.metrics.commit_failed();
            tracing::error!(%error, writes = answers.len(), "a commit failed; nothing of it was acknowledged");
        }
        crate::failpoint::pass("writer.before_acknowledge");
        for answer in answers {
            answer(committed.clone());
        }
    }

    fn transaction(&mut self, batch: Vec<Job>, answers: &mut Vec<Answer>) -> Result<(), StorageError> {
        let now = self.clock.now();
        let transaction = match self.connection.transaction_with_behavior(TransactionBehavior::Immediate) {
            Ok(transaction) => transaction,
            Err(error) => return refuse(batch, &error.into()),
        };
        let mut tx = Tx::new(&transaction, now);
        let mut news = self.outbox.begin(&mut tx)?;
        for job in batch {
            answers.extend(run_in_savepoint(&mut tx, job)?);
        }
        news.record(&mut tx)?;
        let actions = tx.into_actions();
        crate::failpoint::pass("writer.before_commit");
        transaction.commit()?;
        crate::failpoint::pass("writer.after_commit");
        self.outbox.publish(news);
        for action in actions {
            if catch_unwind(AssertUnwindSafe(action)).is_err() {
                tracing::error!("an action after a commit panicked");
            }
        }
        Ok(())
    }
}

/// Dropping a job drops the caller's channel, which tells him that the database is not available.
fn refuse(batch: Vec<Job>, error: &StorageError) -> Result<(), StorageError> {
    drop(batch);
    Err(error.clone())
}

/// A panicking job is undone like a failed one; its caller learns of it because its answer is dropped.
fn run_in_savepoint(tx: &mut Tx<'_>, job: Job) -> Result<Option<Answer>, StorageError> {
    let savepoint = tx.savepoint()?;
    let outcome = catch_unwind(AssertUnwindSafe(|| job(tx)));
    if matches!(outcome, Ok(Ok(_))) {
        tx.keep()?;
    } else {
        tx.undo(savepoint)?;
    }
    Ok(outcome.ok().map(|answer| answer.unwrap_or_else(|refused| refused)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
mod tests {
    use std::sync::{atomic::AtomicI64, mpsc as blocking};

    use holodrive_protocol::Timestamp;

    use super::*;
    use crate::clock::Clock;

    /// Tells another time whenever it is asked: each transaction has its own.
    struct Ticking(AtomicI64);

    impl Clock for Ticking {
        fn now(&self) -> Timestamp {
            Timestamp::from_micros(self.0.fetch_add(1, Ordering::Relaxed))
        }
    }

    /// The transactions of four writes that were waiting for a fifth, in which they are numbered from 1.
    async fn transactions_of_four(batch: usize) -> [i64; 4] {
        let clock = Arc::new(Ticking(AtomicI64::new(0)));
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE holodrive_node (node TEXT)").unwrap();
        let (metrics, outbox) = (Arc::new(Metrics::new()), Arc::new(Outbox::new()));
        let writer = Writer::start(connection, batch, clock, metrics, outbox).unwrap();
        let ((begun, begins), (release, released)) = (oneshot::channel(), blocking::channel());
        let busy = writer.clone();
        let first = tokio::spawn(async move {
            let wait = move |_: &mut Tx<'_>| {
                begun.send(()).unwrap();
                released.recv().map_err(|_| StorageError::Unavailable)
            };
            busy.write(wait).await
        });
        begins.await.unwrap();
        let write = || writer.write(|tx: &mut Tx<'_>| Ok::<_, StorageError>(tx.now().as_micros()));
        // All five are polled in this order, so that the first writes wait when the writer goes on.
        let (a, b, c, d, ()) = tokio::join!(write(), write(), write(), write(), async { release.send(()).unwrap() });
        first.await.unwrap().unwrap();
        [a, b, c, d].map(Result::unwrap)
    }

    #[tokio::test]
    async fn waiting_writes_share_a_transaction_up_to_the_limit() {
        assert_eq!(transactions_of_four(256).await, [1, 1, 1, 1]);
        assert_eq!(transactions_of_four(3).await, [1, 1, 1, 2]);
        assert_eq!(transactions_of_four(1).await, [1, 2, 3, 4]);
    }
}
