//! The thread that starts the loops, waits for their ends, and drops what they leave in the table that it is from.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
    thread::{self, ScopedJoinHandle},
};

use tokio::runtime::Handle;

use super::{
    Link, Rooms, Ways,
    event_loop::{EventLoop, Foundation, Remains, Surroundings},
    handover::{Places, Receiver, handover},
};
use crate::descriptors;

/// Tells whether a loop has begun: how many sockets it takes, `None` where only the common table limits them.
type Report = mpsc::Sender<io::Result<Option<usize>>>;

/// Starts loops, each on a thread with its own descriptor table where the system allows that. Gives the ways to them, and
/// the end of their way out.
pub(super) fn start(loops: usize, rooms: &Rooms, runtime: Handle) -> io::Result<(Arc<Ways>, Receiver)> {
    // All are there before the first table is made: the loops reach each other by descriptors that all tables hold.
    let plans = (0..loops).map(|_| plan()).collect::<io::Result<Vec<_>>>()?;
    let (links, planned): (Vec<_>, Vec<_>) = plans.into_iter().unzip();
    let (out, way_out) = handover()?;
    let ways = Arc::new(Ways { loops: links, out });
    let surroundings = Arc::new(Surroundings { ways: Arc::clone(&ways), rooms: rooms.clone(), runtime });
    let (report, reports) = mpsc::channel();
    thread::Builder::new().name("sockets-keeper".into()).spawn(move || keep(planned, &surroundings, report))?;
    let tables = reports.iter().take(loops).collect::<io::Result<Option<Vec<_>>>>();
    match &tables {
        Ok(Some(room)) => tracing::debug!(?room, "each event loop has a descriptor table of its own"),
        Ok(None) => tracing::warn!("the event loops share one descriptor table: unshare() is not allowed here"),
        Err(_) => ways.loops.iter().for_each(|link| link.inbox.stop()),
    }
    tables.map(|_| (ways, way_out))
}

fn plan() -> io::Result<(Link, Foundation)> {
    let (sender, receiver) = handover()?;
    let foundation = Foundation::new(receiver)?;
    let link = Link { inbox: Arc::clone(&foundation.inbox), sender, places: Places::default() };
    Ok((link, foundation))
}

fn keep(planned: Vec<Foundation>, surroundings: &Arc<Surroundings>, report: Report) {
    thread::scope(|scope| {
        let start = |(turn, foundation): (usize, Foundation)| {
            let (own_report, name) = (report.clone(), "sockets".into());
            let thread = thread::Builder::new().name(name);
            let started = thread.spawn_scoped(scope, move || serve(turn, foundation, surroundings, &own_report));
            started.inspect_err(|error| drop(report.send(Err(error.kind().into())))).ok()
        };
        let threads: Vec<_> = planned.into_iter().enumerate().filter_map(start).collect();
        drop(report);
        // All have ended before anything is dropped: one may still wake another.
        let remains: Vec<_> = threads.into_iter().map(ScopedJoinHandle::join).collect();
        drop(remains);
    });
}

/// The life of a loop's thread.
fn serve(turn: usize, foundation: Foundation, surroundings: &Arc<Surroundings>, report: &Report) -> Remains {
    let Ways { loops, out } = &*surroundings.ways;
    let mut keep: Vec<BorrowedFd<'_>> = loops.iter().map(|link| link.sender.as_fd()).collect();
    keep.extend([out.as_fd(), foundation.way_in()]);
    let room = descriptors::own_table(&keep);
    if let Ok(room) = &room {
        loops[turn].places.add(room.unwrap_or(usize::MAX));
    }
    let begun = room.is_ok();
    let _ = report.send(room);
    let mut event_loop = EventLoop::new(foundation, turn, Arc::clone(surroundings));
    if begun && catch_unwind(AssertUnwindSafe(|| event_loop.run())).is_err() {
        tracing::error!("a loop of connections ends: it panicked");
    }
    event_loop.end()
}
