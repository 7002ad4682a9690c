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

use tokio::sync::{mpsc, oneshot};

use super::{
    StorageError, Tx,
    clock::DatabaseClock,
    connection::{Access, Connection},
    outbox::{News, Outbox},
    tx::AfterCommit,
};
use crate::telemetry::Metrics;

/// Writes that may wait; a sender that finds the queue full waits as well, and so stops reading from its socket.
const QUEUE: usize = 4_096;

type Answer = Box<dyn FnOnce(Result<(), StorageError>) + Send>;
/// Runs in the transaction; `Err` means that it wants its own writes undone.
type Run = Box<dyn FnOnce(&mut Tx<'_>) -> Result<Answer, Answer> + Send>;

/// A write that waits.
struct Job {
    run: Run,
    guard: Guard,
}

/// What an error of a job undoes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard {
    /// What the job has written.
    Savepoint,
    /// Nothing: the job has not written anything then. Has it all the same, the whole transaction is undone.
    None,
}

#[derive(Clone)]
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
    healthy: Arc<AtomicBool>,
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        batch: usize,
        clock: Arc<DatabaseClock>,
        metrics: Arc<Metrics>,
        outbox: Arc<Outbox>,
    ) -> Result<Self, StorageError> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let healthy = Arc::new(AtomicBool::new(true));
        let healthy_too = Arc::clone(&healthy);
        let worker =
            Worker { connection, batch: batch.max(1), clock, metrics, outbox, healthy: healthy_too, unsettled: None };
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
        guard: Guard,
        job: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        let (answer, result) = oneshot::channel();
        let run: Run = Box::new(move |tx| {
            let outcome = job(tx);
            let keep = outcome.is_ok();
            let answer: Answer = Box::new(move |committed: Result<(), StorageError>| {
                // A caller that went away does not need the answer.
                let _ = answer.send(outcome.and_then(|value| committed.map(|()| value).map_err(E::from)));
            });
            if keep { Ok(answer) } else { Err(answer) }
        });
        self.jobs.send(Job { run, guard }).await.map_err(|_| StorageError::Unavailable)?;
        result.await.map_err(|_| StorageError::Unavailable)?
    }
}

struct Worker {
    connection: Connection,
    /// Writes in one transaction: bounds how long the first of them waits for the last.
    batch: usize,
    clock: Arc<DatabaseClock>,
    metrics: Arc<Metrics>,
    outbox: Arc<Outbox>,
    healthy: Arc<AtomicBool>,
    /// What a commit has to tell of which it is not known yet whether it happened.
    unsettled: Option<Told>,
}

/// What is told once a transaction is on disk.
struct Told {
    news: News,
    actions: Vec<AfterCommit>,
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
        let changes = self.connection.changes();
        let committed = self.transaction(batch, &mut answers);
        // A commit of nothing succeeds on a broken disk, too.
        if committed.is_err() || self.connection.changes() != changes {
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
        if let Err(error) = self.settle() {
            return refuse(batch, &error);
        }
        let asked = self.clock.ask();
        let mut transaction = match self.connection.begin(Access::Write) {
            Ok(transaction) => transaction,
            Err(error) => return refuse(batch, &error),
        };
        let now = self.clock.begin(asked, transaction.told());
        let mut tx = transaction.tx(now);
        let mut news = self.outbox.begin(&mut tx)?;
        for job in batch {
            answers.extend(run(&mut tx, job)?);
        }
        news.record(&mut tx)?;
        let told = Told { news, actions: tx.into_actions() };
        crate::failpoint::pass("writer.before_commit");
        let committed = transaction.commit();
        if self.connection.is_unsettled() {
            self.unsettled = Some(told);
        } else if committed.is_ok() {
            crate::failpoint::pass("writer.after_commit");
            self.tell(told);
        }
        committed
    }

    /// Tells what an earlier commit has to tell, once it is known that it happened: before anything later.
    fn settle(&mut self) -> Result<(), StorageError> {
        if self.unsettled.is_some() {
            let is_committed = self.connection.settle()?;
            if let Some(told) = self.unsettled.take().filter(|_| is_committed) {
                self.tell(told);
            }
        }
        Ok(())
    }

    fn tell(&self, Told { news, actions }: Told) {
        self.outbox.publish(news);
        for action in actions {
            if catch_unwind(AssertUnwindSafe(action)).is_err() {
                tracing::error!("an action after a commit panicked");
            }
        }
    }
}

/// Dropping a job drops the caller's channel, which tells him that the database is not available.
fn refuse(batch: Vec<Job>, error: &StorageError) -> Result<(), StorageError> {
    drop(batch);
    Err(error.clone())
}

/// A panicking job is undone like a failed one; its caller learns of it because its answer is dropped.
fn run(tx: &mut Tx<'_>, Job { run, guard }: Job) -> Result<Option<Answer>, StorageError> {
    let mark = if guard == Guard::Savepoint { tx.savepoint()? } else { tx.mark() };
    let outcome = catch_unwind(AssertUnwindSafe(|| run(tx)));
    match (matches!(outcome, Ok(Ok(_))), guard) {
        (true, Guard::Savepoint) => tx.keep()?,
        (true, Guard::None) => {}
        (false, Guard::Savepoint) => tx.undo(mark)?,
        (false, Guard::None) => tx.require_unchanged(mark)?,
    }
    Ok(outcome.ok().map(|answer| answer.unwrap_or_else(|refused| refused)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
mod tests;
