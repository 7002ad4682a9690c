//! How many descriptors there may be, and a table of them for one thread.
//!
//! Linux counts `RLIMIT_NOFILE` for each descriptor table, not for each process. Threads share a table, unless one takes
//! a table of its own; from then on a number means one thing to that thread and another to the rest.

use std::{
    fs, io,
    os::fd::{AsRawFd, BorrowedFd, RawFd},
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    sched::{CloneFlags, unshare},
    sys::{
        resource::{Resource, getrlimit, setrlimit},
        signal::{SigSet, Signal},
    },
    unistd::close,
};

/// The descriptors of the thread that looks.
const TABLE: &str = "/proc/thread-self/fd";
/// The last number of the standard streams.
const STDERR: RawFd = 2;
/// What threads wake each other with; the same number must mean the same in all tables. (And `eventpoll`.)
const WAKERS: &str = "anon_inode:[event";
/// What a table keeps free for files that are opened in passing, such as for the text of a panic.
const SPARE: usize = 16;

/// How many descriptors a table can hold.
fn limit() -> io::Result<u64> {
    Ok(getrlimit(Resource::RLIMIT_NOFILE)?.0)
}

/// Raises the limit as far as this process may, and gives it.
pub(crate) fn raise_limit() -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok(hard)
}

/// Gives this thread a table of its own. Of what was open it holds the standard streams, `keep` and what threads wake
/// each other with; tells how many descriptors fit in beside them. `None` where the system allows no such table: nothing
/// has changed then.
///
/// What the rest of the process opens afterwards has no number here. So this thread must own, and drop, only what it opens
/// itself; it may start no threads, since they would share its table; and it hears no signals, whose handlers write to
/// descriptors.
///
/// # Errors
/// When the thread cannot go on: its table holds what it should not.
pub(crate) fn own_table(keep: &[BorrowedFd<'_>]) -> io::Result<Option<usize>> {
    if !Path::new(TABLE).exists() || unshare(CloneFlags::CLONE_FILES).is_err() {
        return Ok(None);
    }
    block_signals()?;
    let kept = close_inherited(keep)?;
    let limit = usize::try_from(limit()?).unwrap_or(usize::MAX);
    Ok(Some(limit.saturating_sub(kept + SPARE)))
}

/// All but those by which a thread learns of its own faults.
fn block_signals() -> io::Result<()> {
    let mut signals = SigSet::all();
    for own in [Signal::SIGSEGV, Signal::SIGBUS] {
        signals.remove(own);
    }
    Ok(signals.thread_block()?)
}

/// Closes what [`own_table`] does not keep; tells how many descriptors are left.
fn close_inherited(keep: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let is_kept = |(number, target): &(RawFd, PathBuf)| {
        let asked = || keep.iter().any(|keep| keep.as_raw_fd() == *number);
        *number <= STDERR || asked() || target.to_string_lossy().starts_with(WAKERS)
    };
    let (kept, inherited): (Vec<_>, Vec<_>) = open_descriptors()?.into_iter().partition(is_kept);
    for (number, _) in inherited {
        match close(number) {
            // The folder that was read is among them, and closed already.
            Ok(()) | Err(Errno::EBADF) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(kept.len())
}

/// The numbers in this thread's table, and what they stand for.
fn open_descriptors() -> io::Result<Vec<(RawFd, PathBuf)>> {
    let of = |entry: fs::DirEntry| {
        let number = entry.file_name().to_string_lossy().parse().map_err(io::Error::other)?;
        Ok((number, fs::read_link(entry.path())?))
    };
    fs::read_dir(TABLE)?.map(|entry| of(entry?)).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::{
        io::Read,
        net::{Ipv4Addr, TcpListener, TcpStream},
        os::{fd::AsFd, unix::net::UnixStream},
        sync::mpsc,
        thread,
    };

    use super::*;

    #[test]
    fn a_table_of_its_own_holds_nothing_of_the_others_open() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        let (kept, _other) = UnixStream::pair().unwrap();
        let target = |descriptor: &dyn AsRawFd| fs::read_link(format!("{TABLE}/{}", descriptor.as_raw_fd())).unwrap();
        let others = [target(&listener), target(&accepted), target(&peer)];
        let (ready, is_ready) = mpsc::channel();
        thread::scope(|scope| {
            let (end, may_end) = mpsc::channel::<()>();
            let door = kept.as_fd();
            scope.spawn(move || {
                let room = own_table(&[door]).unwrap();
                let open: Vec<_> = open_descriptors().unwrap().into_iter().map(|(_, target)| target).collect();
                ready.send((room, open)).unwrap();
                may_end.recv().unwrap_err();
            });
            let (room, open) = is_ready.recv().unwrap();
            assert!(room.is_some_and(|room| room > 0));
            assert!(open.contains(&target(&kept)));
            assert!(!others.iter().any(|other| open.contains(other)), "{open:?}");
            drop((listener, accepted));
            assert_eq!(peer.read(&mut [0]).unwrap(), 0, "the peer sees the end at once");
            drop(end);
        });
    }
}
