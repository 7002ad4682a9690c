//! The embedded database, opened so that a commit is on disk when it says so.

mod statements;

use std::{fs::DirBuilder, os::unix::fs::DirBuilderExt, path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

pub(super) use self::statements::Statements;
use super::StorageError;

/// How long a connection waits for another process (Django on the same file) to give up its lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// What `PRAGMA synchronous` answers when each commit waits for the disk.
pub(super) const SYNCHRONOUS_FULL: i64 = 2;
/// Prepared statements that each connection keeps.
const STATEMENT_CACHE: usize = 256;

/// Pages that the writer keeps in memory, and each reader, in KiB. What a reader does not find there is mostly in the page
/// cache of the system.
const WRITER_CACHE_KIB: i32 = 8 * 1024;
const READER_CACHE_KIB: i32 = 128;

/// Pages of the log (4 KiB each) that make the writer copy them into the database and start over. What was written again
/// and again meanwhile is copied once.
const CHECKPOINT_PAGES: i32 = 4_000;

pub(super) fn open_writer(path: &Path) -> Result<Connection, StorageError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        // Password hashes and trips are nobody else's business.
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|error| StorageError::Setup(format!("cannot create the folder {}: {error}", folder.display())))?;
    }
    let connection = Connection::open(path)
        .map_err(|error| StorageError::Setup(format!("cannot open the database {}: {error}", path.display())))?;
    configure(&connection)?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    // An I/O error while switching is silent: the answer must be read, or the database stays in rollback mode unnoticed.
    require(&connection, "journal_mode", "PRAGMA journal_mode=WAL", "wal")?;
    connection.execute_batch("PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    require(&connection, "synchronous", "PRAGMA synchronous", &SYNCHRONOUS_FULL.to_string())?;
    Ok(connection)
}

pub(super) fn open_reader(path: &Path) -> Result<Connection, StorageError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    configure(&connection)?;
    connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    Ok(connection)
}

/// Opens a file that must be there, and changes nothing of it.
pub(super) fn open_for_inspection(path: &Path) -> Result<Connection, StorageError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    configure(&connection)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

fn configure(connection: &Connection) -> Result<(), StorageError> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    // A plan that depended on bound values would be made anew whenever they change, for nothing.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // What a savepoint may have to undo is kept in memory, not in a temporary file.
    connection.execute_batch("PRAGMA temp_store=MEMORY")?;
    Ok(())
}

fn require(connection: &Connection, name: &str, pragma: &str, expected: &str) -> Result<(), StorageError> {
    let answer = connection.query_row(pragma, [], |row| {
        Ok(match row.get_ref(0)? {
            rusqlite::types::ValueRef::Integer(value) => value.to_string(),
            value => value.as_str().unwrap_or_default().to_owned(),
        })
    })?;
    if answer.eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    Err(StorageError::Setup(format!(
        "the database did not take {name}={expected} (it says {answer}): acknowledged writes would not be safe; \
         is the file on a network or read-only file system?"
    )))
}
