//! Threads that hold connections, each with an event loop and a descriptor table of its own, so that the limit on open
//! files counts for each of them.

use std::{
    sync::{Arc, OnceLock, atomic::Ordering},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::Context;
use mio::{Events, event::Event as Ready};
use nix::sched::CloneFlags;

use super::{
    lines::{Count, Door, Event, Lines},
    net::{Arrived, TIMER},
};
use crate::latencies::Latencies;

/// How often a thread that waits looks whether it may go on.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(10);
const EVENTS: usize = 1_024;
/// Larger than any message of these benchmarks.
const BUFFER: usize = 256 * 1_024;

/// When work begins, and the part of it that counts.
#[derive(Clone, Copy)]
pub(crate) struct Schedule {
    pub(crate) begin: Instant,
    pub(crate) from: Instant,
    pub(crate) to: Instant,
}

impl Schedule {
    /// From now on, after a time to warm up.
    pub(crate) fn after(warm_up: Duration, length: Duration) -> Self {
        let begin = Instant::now();
        Self { begin, from: begin + warm_up, to: begin + warm_up + length }
    }

    /// Whether what began then counts.
    pub(crate) fn holds(&self, moment: Instant) -> bool {
        (self.from..self.to).contains(&moment)
    }
}

/// What is done with open connections. Its methods run on the thread that holds them.
pub(crate) trait Work: Send + 'static {
    /// All connections are open.
    fn begin(&mut self, lines: &mut Lines, schedule: Schedule);
    /// A message arrived.
    fn text(&mut self, lines: &mut Lines, id: usize, text: &[u8], now: Instant);
    /// Once in each round, from the beginning on: when the next one must be at the latest; none when all is done.
    fn turn(&mut self, lines: &mut Lines, now: Instant) -> Option<Instant>;
    /// A connection was opened after the beginning.
    fn opened(&mut self, _lines: &mut Lines, _id: usize, _now: Instant) {}
}

/// What a thread has done.
pub(crate) struct Done<W> {
    pub(crate) work: W,
    pub(crate) handshakes: Latencies,
}

/// The threads of one scenario.
pub(crate) struct Crew<W> {
    pub(crate) count: Arc<Count>,
    go: Arc<OnceLock<Schedule>>,
    threads: Vec<JoinHandle<anyhow::Result<Done<W>>>>,
}

impl<W: Work> Crew<W> {
    /// Starts a thread for each share; together they open at most `width` connections at a time.
    pub(crate) fn start(shares: Vec<(Vec<Door>, W)>, width: usize) -> Self {
        let (count, go) = (Arc::new(Count::default()), Arc::new(OnceLock::new()));
        let width = (width / shares.len().max(1)).max(1);
        let start = |(doors, work)| {
            let (count, go) = (Arc::clone(&count), Arc::clone(&go));
            thread::spawn(move || hold(doors, work, width, count, &go))
        };
        let threads = shares.into_iter().map(start).collect();
        Self { count, go, threads }
    }

    /// Waits until `wanted` connections were tried.
    pub(crate) fn wait_open(&self, wanted: usize, patience: Duration) -> anyhow::Result<()> {
        let end = Instant::now() + patience;
        let tried = || self.count.opened.load(Ordering::Relaxed) + self.count.refused.load(Ordering::Relaxed);
        while tried() < wanted && !self.threads.iter().all(JoinHandle::is_finished) {
            anyhow::ensure!(Instant::now() < end, "only {} of {wanted} connections within {patience:?}", tried());
            thread::sleep(Duration::from_millis(2));
        }
        let refused = self.count.refused.load(Ordering::Relaxed);
        anyhow::ensure!(refused * 2 <= wanted, "{refused} of {wanted} connections were refused");
        Ok(())
    }

    /// Whether no thread has ended yet.
    pub(crate) fn is_running(&self) -> bool {
        !self.threads.iter().any(JoinHandle::is_finished)
    }

    pub(crate) fn go(&self, schedule: Schedule) {
        let _ = self.go.set(schedule);
    }

    /// Waits until all work is done.
    pub(crate) fn join(self) -> anyhow::Result<Vec<Done<W>>> {
        let join = |thread: JoinHandle<_>| thread.join().unwrap_or_else(|_| anyhow::bail!("a load thread panicked"));
        self.threads.into_iter().map(join).collect()
    }
}

/// One thread: its own descriptors, its connections, its work.
fn hold<W: Work>(
    doors: Vec<Door>,
    work: W,
    width: usize,
    count: Arc<Count>,
    go: &OnceLock<Schedule>,
) -> anyhow::Result<Done<W>> {
    nix::sched::unshare(CloneFlags::CLONE_FILES).context("no descriptor table of its own for a load thread")?;
    let lines = Lines::new(doors, width, count)?;
    let mut hand = Hand { lines, work, begun: false };
    let (mut events, mut buffer) = (Events::with_capacity(EVENTS), vec![0; BUFFER]);
    while let Some(until) = hand.turn(go) {
        hand.lines.net.flush();
        hand.lines.net.wait(&mut events, until)?;
        events.iter().try_for_each(|ready| hand.ready(ready, &mut buffer))?;
    }
    let Hand { lines: Lines { handshakes, .. }, work, .. } = hand;
    Ok(Done { work, handshakes })
}

struct Hand<W> {
    lines: Lines,
    work: W,
    begun: bool,
}

impl<W: Work> Hand<W> {
    fn turn(&mut self, go: &OnceLock<Schedule>) -> Option<Instant> {
        self.lines.open_next();
        let now = Instant::now();
        if !self.begun {
            let schedule = go.get().filter(|_| self.lines.settled());
            let Some(schedule) = schedule else { return Some(now + LOOK_EVERY) };
            self.begun = true;
            self.work.begin(&mut self.lines, *schedule);
        }
        self.work.turn(&mut self.lines, now)
    }

    fn ready(&mut self, ready: &Ready, buffer: &mut [u8]) -> anyhow::Result<()> {
        let id = ready.token();
        if id == TIMER {
            return Ok(());
        }
        if ready.is_writable() {
            self.lines.net.writable(id.0);
        }
        if ready.is_readable() || ready.is_read_closed() || ready.is_error() {
            self.drain(id.0, buffer, ready.is_read_closed() || ready.is_error())?;
        }
        Ok(())
    }

    /// Reads until there is no more: the poll tells of new bytes only. A read that does not fill the buffer was the last
    /// one, unless the connection's end may be behind it.
    fn drain(&mut self, id: usize, buffer: &mut [u8], to_end: bool) -> anyhow::Result<()> {
        let serial = self.lines.net.serial(id);
        loop {
            let kept = self.lines.net.restore(id, buffer);
            anyhow::ensure!(kept < buffer.len(), "a message is longer than {} bytes", buffer.len());
            match self.lines.net.read(id, &mut buffer[kept..]) {
                Arrived::Nothing => self.lines.net.keep(id, &buffer[..kept]),
                Arrived::End(why) => self.lines.fail(id, &why),
                Arrived::Bytes(count) => {
                    let end = kept + count;
                    let used = self.consume(id, serial, &buffer[..end]);
                    if serial == self.lines.net.serial(id) {
                        self.lines.net.keep(id, &buffer[used..end]);
                        if to_end || end == buffer.len() {
                            continue;
                        }
                    }
                }
            }
            return Ok(());
        }
    }

    /// Tells the bytes that were used up.
    fn consume(&mut self, id: usize, serial: Option<u32>, bytes: &[u8]) -> usize {
        let (mut used, now) = (0, Instant::now());
        while serial == self.lines.net.serial(id) {
            match self.lines.step(id, &bytes[used..]) {
                Ok(None) => break,
                Ok(Some((size, event))) => {
                    used += size;
                    match event {
                        Some(Event::Text(text)) => self.work.text(&mut self.lines, id, text, now),
                        Some(Event::Opened) if self.begun => self.work.opened(&mut self.lines, id, now),
                        _ => {}
                    }
                }
                Err(error) => self.lines.fail(id, &error.to_string()),
            }
        }
        used
    }
}
