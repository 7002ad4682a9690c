//! Many readers, each with a connection and a thread of its own; reads that wait for one share its snapshot.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::{
    StorageError, StorageOptions, Tx,
    connection::{Access, Connection},
};
use crate::clock::SharedClock;

/// Reads that may wait; whoever finds the queue full waits as well.
const QUEUE: usize = 4_096;
/// Reads that share a snapshot at the most: the others are left to the other readers.
const BATCH: usize = 32;

/// Gets a transaction, or the reason why there is none.
type Job = Box<dyn FnOnce(Result<&mut Tx<'_>, StorageError>) + Send>;

/// A fixed set of read-only connections.
#[derive(Clone)]
pub(super) struct Readers(mpsc::Sender<Job>);

impl Readers {
    pub(super) fn open(options: &StorageOptions, clock: &SharedClock) -> Result<Self, StorageError> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let queue = Arc::new(Mutex::new(queue));
        for number in 0..options.readers.max(1) {
            let connection = Connection::open_reader(options)?;
            let reader = Reader { connection, queue: Arc::clone(&queue), clock: clock.clone() };
            std::thread::Builder::new()
                .name(format!("storage-read-{number}"))
                .spawn(move || reader.run())
                .map_err(|error| StorageError::Setup(format!("cannot start a reader: {error}")))?;
        }
        Ok(Self(jobs))
    }

    pub(super) async fn read<T, E>(
        &self,
        job: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
    {
        let (answer, result) = oneshot::channel();
        let job: Job = Box::new(move |tx| {
            // A caller that went away does not need the answer.
            let _ = answer.send(tx.map_err(E::from).and_then(job));
        });
        self.0.send(job).await.map_err(|_| StorageError::Unavailable)?;
        result.await.map_err(|_| StorageError::Unavailable)?
    }
}

struct Reader {
    connection: Connection,
    queue: Arc<Mutex<mpsc::Receiver<Job>>>,
    clock: SharedClock,
}

impl Reader {
    fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            // One reader waits for reads, the others for their turn to wait.
            if self.queue.lock().blocking_recv_many(&mut batch, BATCH) == 0 {
                return;
            }
            let mut jobs = batch.drain(..).peekable();
            while jobs.peek().is_some() {
                self.answer(&mut jobs);
            }
        }
    }

    /// Answers from one snapshot, up to the first job of which a statement fails: with PostgreSQL that ends the snapshot.
    fn answer(&mut self, jobs: &mut impl Iterator<Item = Job>) {
        match self.connection.begin(Access::Read) {
            Ok(mut snapshot) => {
                let is_whole = |job| {
                    let mut tx = snapshot.tx(self.clock.now());
                    run(job, Ok(&mut tx));
                    !tx.has_failed()
                };
                if jobs.all(is_whole)
                    && let Err(error) = snapshot.commit()
                {
                    tracing::debug!(%error, "a snapshot was not ended in order");
                }
            }
            Err(error) => jobs.for_each(|job| run(job, Err(error.clone()))),
        }
    }
}

/// The caller of a job that panics learns of it because its answer is dropped.
fn run(job: Job, tx: Result<&mut Tx<'_>, StorageError>) {
    if catch_unwind(AssertUnwindSafe(|| job(tx))).is_err() {
        tracing::error!("a read panicked");
    }
}
