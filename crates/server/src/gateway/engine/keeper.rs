//! The thread that starts the loops, waits for their ends, and drops what they leave in the table that it is from.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
    thread::{self, ScopedJoinHandle},
};

use tokio::runtime::Handle;

use super::{
    Link,
    event_loop::{EventLoop, Remains},
    handover::{Places, handover},
};
use crate::descriptors;

/// Tells whether a loop has begun: how many sockets it takes, `None` where only the common table limits them.
type Report = mpsc::Sender<io::Result<Option<usize>>>;

/// A loop to be started, and where its places are.
struct Planned {
    event_loop: EventLoop,
    places: Places,
}

/// Starts loops, each on a thread with its own descriptor table where the system allows that.
pub(super) fn start(loops: usize, runtime: Handle) -> io::Result<Vec<Link>> {
    // All are there before the first table is made: the loops wake each other by descriptors that all tables hold.
    let plans = (0..loops).map(plan).collect::<io::Result<Vec<_>>>()?;
    let (links, planned): (Vec<_>, Vec<_>) = plans.into_iter().unzip();
    let (report, reports) = mpsc::channel();
    thread::Builder::new().name("sockets-keeper".into()).spawn(move || keep(planned, &runtime, report))?;
    let rooms = reports.iter().take(loops).collect::<io::Result<Option<Vec<_>>>>();
    match &rooms {
        Ok(Some(rooms)) => tracing::debug!(?rooms, "each event loop has a descriptor table of its own"),
        Ok(None) => tracing::warn!("the event loops share one descriptor table: unshare() is not allowed here"),
        Err(_) => links.iter().for_each(|link: &Link| link.inbox.stop()),
    }
    rooms.map(|_| links)
}

fn plan(number: usize) -> io::Result<(Link, Planned)> {
    let (sender, receiver) = handover()?;
    let (event_loop, places) = (EventLoop::new(number, receiver)?, Places::default());
    let link = Link { inbox: Arc::clone(event_loop.inbox()), sender, places: places.clone() };
    Ok((link, Planned { event_loop, places }))
}

fn keep(planned: Vec<Planned>, runtime: &Handle, report: Report) {
    thread::scope(|scope| {
        let start = |planned: Planned| {
            let (own_report, name) = (report.clone(), "sockets".into());
            let thread = thread::Builder::new().name(name);
            let started = thread.spawn_scoped(scope, move || serve(planned, runtime, &own_report));
            started.inspect_err(|error| drop(report.send(Err(error.kind().into())))).ok()
        };
        let threads: Vec<_> = planned.into_iter().filter_map(start).collect();
        drop(report);
        // All have ended before anything is dropped: one may still wake another.
        let remains: Vec<_> = threads.into_iter().map(ScopedJoinHandle::join).collect();
        drop(remains);
    });
}

/// The life of a loop's thread.
fn serve(planned: Planned, runtime: &Handle, report: &Report) -> Remains {
    let Planned { mut event_loop, places } = planned;
    let room = descriptors::own_table(event_loop.door());
    if let Ok(room) = &room {
        places.add(room.unwrap_or(usize::MAX));
    }
    let begun = room.is_ok();
    let _ = report.send(room);
    if begun && catch_unwind(AssertUnwindSafe(|| event_loop.run(runtime))).is_err() {
        tracing::error!("a loop of connections ends: it panicked");
    }
    event_loop.end()
}
