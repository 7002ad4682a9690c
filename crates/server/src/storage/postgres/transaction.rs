//! Transactions, and what became of a commit whose answer was lost.

use std::{
    thread,
    time::{Duration, Instant},
};

use holodrive_protocol::Timestamp;
use tokio_postgres::SimpleQueryRow;
use uuid::Uuid;

use super::{BEGUN, LOCK, Session};
use crate::storage::{StorageError, connection::Access};

/// Each statement sees what was committed before it, whatever the server's default is: the lock may be long in coming.
const BEGIN_WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// How often a server that is coming back is asked what became of a commit.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// A transaction of a session; what is not committed is undone.
pub(in crate::storage) struct Transaction<'s> {
    session: &'s mut Session,
    /// What is known of it, where it writes.
    begun: Option<Begun>,
    /// Rows that the session had changed before.
    changes: u64,
    is_open: bool,
}

/// What the server says of a transaction that writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begun {
    /// Its number.
    id: i64,
    /// When it was alone.
    at: Timestamp,
}

impl Begun {
    fn read(row: &SimpleQueryRow) -> Result<Self, StorageError> {
        let number = |index| row.get(index).and_then(|text| text.parse().ok()).ok_or(StorageError::Column { index });
        Ok(Self { id: number(0)?, at: Timestamp::from_micros(number(1)?) })
    }
}

impl<'s> Transaction<'s> {
    /// Begins.
    pub(super) fn open(session: &mut Session, access: Access) -> Result<Option<Begun>, StorageError> {
        let opened = match access {
            Access::Read => session.batch(BEGIN_READ).map(|()| None),
            Access::Write => session
                .ask(&format!("{BEGIN_WRITE}; {LOCK}; {BEGUN}"))
                .and_then(|row| row.ok_or(StorageError::Column { index: 0 }))
                .and_then(|row| Begun::read(&row).map(Some)),
        };
        // Without the lock, or with it and nobody to use it, the transaction must not stay.
        opened.inspect_err(|_| session.roll_back())
    }

    pub(super) fn new(session: &'s mut Session, begun: Option<Begun>) -> Self {
        let changes = session.changes();
        Self { session, begun, changes, is_open: true }
    }

    /// What the server's clock showed when it was alone, where it writes.
    pub(in crate::storage) fn told(&self) -> Option<Timestamp> {
        self.begun.map(|begun| begun.at)
    }

    pub(in crate::storage) fn session(&mut self) -> &mut Session {
        self.session
    }

    /// Commits, and takes nobody's word for it but the server's own record: after a failed statement, `COMMIT` undoes
    /// everything and reports success.
    pub(in crate::storage) fn commit(mut self) -> Result<(), StorageError> {
        self.is_open = false;
        if !self.session.in_transaction() {
            return Err(StorageError::Unavailable);
        }
        let Some(Begun { id, .. }) = self.begun else { return self.session.batch("COMMIT") };
        let mark = self.leave_mark();
        self.session.defer("COMMIT");
        let is_committed = match self.session.is_committed(id) {
            Ok(is_committed) => is_committed,
            Err(error) => {
                // It was undone, or it was not and nobody heard of it.
                self.session.roll_back();
                self.session.unsettled = mark;
                self.session.settle_in_time().map_err(|_| error.clone())?.then_some(true).ok_or(error)?
            }
        };
        if !is_committed {
            return Err(StorageError::Database("the transaction was undone".into()));
        }
        self.session.mark = mark.or(self.session.mark);
        Ok(())
    }

    /// Leaves the mark of this commit instead of the last one's, where there is anything to commit.
    fn leave_mark(&mut self) -> Option<Uuid> {
        if self.session.changes() == self.changes {
            return None;
        }
        if let Some(last) = self.session.mark {
            self.session.defer(&format!("DELETE FROM holodrive_commit WHERE id = '{last}'"));
        }
        let mark = Uuid::new_v4();
        self.session.defer(&format!(
            "INSERT INTO holodrive_commit (id, committed_at) VALUES ('{mark}', (EXTRACT(EPOCH FROM now()) * 1000000)::bigint)"
        ));
        Some(mark)
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.is_open {
            self.session.roll_back();
        }
    }
}

impl Session {
    /// Ends what was begun at once, for others wait for the lock. Where that is not possible, the end of the connection does it.
    pub(super) fn roll_back(&mut self) {
        self.forget_deferred();
        if self.in_transaction() && self.batch("ROLLBACK").is_err() {
            self.disconnect();
        }
    }

    /// Whether the transaction that this connection has just ended was committed.
    fn is_committed(&mut self, id: i64) -> Result<bool, StorageError> {
        let fate = self.ask(&format!("SELECT txid_status({id})"))?;
        Ok(fate.is_some_and(|row| row.get(0) == Some("committed")))
    }

    /// Finds out what became of the commit whose answer was lost. The lock is had once the server is through with it.
    ///
    /// # Errors
    /// While the server cannot be asked, or still works on it.
    pub(in crate::storage) fn settle(&mut self) -> Result<bool, StorageError> {
        let Some(mark) = self.unsettled else { return Ok(false) };
        self.forget_deferred();
        self.connect()?;
        let find = format!("{BEGIN_WRITE}; {LOCK}; SELECT id FROM holodrive_commit WHERE id = '{mark}'; COMMIT");
        let found = self.ask(&find).inspect_err(|_| self.roll_back())?;
        self.unsettled = None;
        Ok(found.is_some_and(|row| row.get(0) == Some(&mark.to_string())))
    }

    /// [`Session::settle`], as often as there is time.
    fn settle_in_time(&mut self) -> Result<bool, StorageError> {
        let until = Instant::now() + self.limit_of_waiting();
        loop {
            match self.settle() {
                Err(error) if Instant::now() >= until => return Err(error),
                Err(_) => thread::sleep(ASK_AGAIN_AFTER),
                settled => return settled,
            }
        }
    }
}
