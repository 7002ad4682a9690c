//! Transactions, and what became of a commit whose answer was lost.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::Session;
use crate::storage::{StorageError, connection::Access};

/// Begins with the lock that makes this the only one that writes, and with the number under which the server will still know,
/// after a crash of its own, whether it was committed. The lock goes with the schema: two services may share a database.
const BEGIN_WRITE: &str = "BEGIN; \
    SELECT pg_advisory_xact_lock(hashtextextended('holodrive writer of ' || current_schema(), 0)); \
    SELECT txid_current()";
const BEGIN_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// How often a server that is coming back is asked what became of a commit.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// A transaction of a session; what is not committed is undone.
pub(in crate::storage) struct Transaction<'s> {
    session: &'s mut Session,
    /// The server's number for it, where it writes.
    id: Option<i64>,
    is_open: bool,
}

impl<'s> Transaction<'s> {
    /// Begins, and gives the server's number where it writes.
    pub(super) fn open(session: &mut Session, access: Access) -> Result<Option<i64>, StorageError> {
        match access {
            Access::Read => session.batch(BEGIN_READ).map(|()| None),
            Access::Write => {
                let id = session.ask(BEGIN_WRITE)?.and_then(|id| id.parse().ok());
                id.map(Some).ok_or(StorageError::Column { index: 0 })
            }
        }
    }

    pub(super) fn new(session: &'s mut Session, id: Option<i64>) -> Self {
        Self { session, id, is_open: true }
    }

    pub(in crate::storage) fn session(&mut self) -> &mut Session {
        self.session
    }

    /// Commits, and takes nobody's word for it but the server's own record: after a failed statement, `COMMIT` undoes
    /// everything and reports success.
    pub(in crate::storage) fn commit(mut self) -> Result<(), StorageError> {
        self.is_open = false;
        let Some(id) = self.id else { return self.session.batch("COMMIT") };
        self.session.defer("COMMIT");
        let is_committed = match self.session.status(id) {
            Ok(is_committed) => is_committed,
            Err(error) if self.session.in_transaction() => {
                self.is_open = true;
                return Err(error);
            }
            Err(error) => {
                self.session.unsettled = Some(id);
                self.session.settle_in_time().map_err(|_| error)?
            }
        };
        if is_committed { Ok(()) } else { Err(StorageError::Database("the transaction was undone".into())) }
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        // At once, for others wait for the lock. Where that is not possible, the end of the connection undoes it.
        if self.is_open && self.session.in_transaction() && self.session.batch("ROLLBACK").is_err() {
            self.session.disconnect();
        }
    }
}

impl Session {
    /// Whether a transaction has been committed.
    ///
    /// # Errors
    /// When the server cannot be asked, or does not know yet.
    fn status(&mut self, id: i64) -> Result<bool, StorageError> {
        match self.ask(&format!("SELECT txid_status({id})"))?.as_deref() {
            Some("committed") => Ok(true),
            Some("in progress") => Err(StorageError::Unavailable),
            _ => Ok(false),
        }
    }

    /// Finds out what became of the commit whose answer was lost.
    ///
    /// # Errors
    /// While the server cannot be asked, or does not know yet.
    pub(in crate::storage) fn settle(&mut self) -> Result<bool, StorageError> {
        let Some(id) = self.unsettled else { return Ok(false) };
        self.connect()?;
        let is_committed = self.status(id)?;
        self.unsettled = None;
        Ok(is_committed)
    }

    /// [`Session::settle`], as often as there is time.
    fn settle_in_time(&mut self) -> Result<bool, StorageError> {
        let until = Instant::now() + self.limit();
        loop {
            match self.settle() {
                Err(error) if Instant::now() >= until => return Err(error),
                Err(_) => thread::sleep(ASK_AGAIN_AFTER),
                settled => return settled,
            }
        }
    }
}
