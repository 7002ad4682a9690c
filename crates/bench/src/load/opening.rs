//! Scenarios in which connections come and go.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::sleep,
    time::{Duration, Instant},
};

use super::{
    crew::{Crew, Schedule},
    figures::Figures,
    fresh::Fresh,
    kernel::KernelMemory,
    lines::Door,
    quiet::Quiet,
    scenario::Target,
    storm::Storm,
};
use crate::{latencies::Latencies, process::connections_at_most};

/// Handshakes under way at once.
pub(crate) const WIDTH: usize = 128;
/// Longer than any server needs.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long a server has to give memory back.
const GIVE_BACK: Duration = Duration::from_secs(10);

/// How long newcomers keep coming while the others leave.
const NEWCOMERS_FOR: Duration = Duration::from_secs(2);

/// Memory of quiet connections.
pub(crate) fn idle(target: &Target, connections: usize, hold: Duration) -> anyhow::Result<Figures> {
    let (kernel_before, before) = (KernelMemory::settled()?, target.observed.proportional_kib()?);
    let stop = Arc::new(AtomicBool::new(false));
    let crew = quiet_crew(target, connections, WIDTH, &stop)?;
    crew.wait_open(connections, PATIENCE)?;
    sleep(hold);
    let (during, kernel_during) = (target.observed.proportional_kib()?, KernelMemory::settled()?);

    let mut figures = Figures::default();
    let opened = crew.count.opened.load(Ordering::Relaxed).max(1);
    figures.set("kib_per_connection", each(during, before, opened));
    if let Some(kernel) = kernel_during.kib_per_pair(&kernel_before, opened) {
        figures.set("kernel_kib_per_pair", kernel);
    }
    figures.count("connections", opened as u64);
    failures(&mut figures, &crew);
    finish(crew, &stop)?;
    sleep(GIVE_BACK);
    figures.set("kib_kept_per_connection", each(target.observed.proportional_kib()?, before, opened));
    Ok(figures)
}

/// How fast connections are accepted and authenticated.
pub(crate) fn connect(target: &Target, connections: usize) -> anyhow::Result<Figures> {
    let (cpu_before, began, stop) = (target.observed.cpu_time()?, Instant::now(), Arc::new(AtomicBool::new(false)));
    let crew = quiet_crew(target, connections, WIDTH, &stop)?;
    crew.wait_open(connections, PATIENCE)?;
    let (time, cpu) = (began.elapsed(), target.observed.cpu_time()?.saturating_sub(cpu_before));

    let mut figures = Figures::default();
    figures.rates(crew.count.opened.load(Ordering::Relaxed) as u64, time, cpu);
    failures(&mut figures, &crew);
    figures.latencies(&finish(crew, &stop)?);
    Ok(figures)
}

/// All connections are cut at once and come back, while one more keeps connecting anew.
pub(crate) fn reconnect(target: &Target, connections: usize) -> anyhow::Result<Figures> {
    let (threads, done) = (threads(connections)?, Arc::new(AtomicBool::new(false)));
    let share = |thread| {
        let doors: Vec<_> = (thread..connections).step_by(threads).map(|user| target.notifications(user)).collect();
        Ok((doors, Storm::new(Arc::clone(&done))?))
    };
    let crew = Crew::start((0..threads).map(share).collect::<anyhow::Result<_>>()?, WIDTH);
    crew.wait_open(connections, PATIENCE)?;
    let (cpu_before, began) = (target.observed.cpu_time()?, Instant::now());
    crew.go(Schedule::after(Duration::ZERO, PATIENCE));
    crew.wait_open(2 * connections, PATIENCE)?;
    let (time, cpu) = (began.elapsed(), target.observed.cpu_time()?.saturating_sub(cpu_before));

    let mut figures = Figures::default();
    figures.rates(connections as u64, time, cpu);
    figures.set("all_back_ms", time.as_secs_f64() * 1_000.0);
    figures.count("refused", crew.count.refused.load(Ordering::Relaxed) as u64);
    done.store(true, Ordering::Relaxed);
    figures.latencies(&Latencies::merged(crew.join()?.iter().map(|done| &done.work.waits))?);
    Ok(figures)
}

/// How long newcomers need to connect while all others leave at once.
pub(crate) fn disconnect(target: &Target, connections: usize) -> anyhow::Result<Figures> {
    let stop = Arc::new(AtomicBool::new(false));
    let crew = quiet_crew(target, connections, WIDTH, &stop)?;
    crew.wait_open(connections, PATIENCE)?;
    let newcomers = newcomers();
    let doors = (0..newcomers).map(|number| target.notifications(connections + number)).collect();
    let fresh = Crew::start(vec![(doors, Fresh::new()?)], newcomers);
    fresh.wait_open(newcomers, PATIENCE)?;
    stop.store(true, Ordering::Relaxed);
    fresh.go(Schedule::after(Duration::ZERO, PATIENCE));
    let mut figures = Figures::default();
    failures(&mut figures, &crew);
    crew.join()?;
    for done in fresh.join()? {
        figures.latencies(&done.work.waits);
        figures.count("connects", done.work.waits.count());
    }
    Ok(figures)
}

/// Newcomers of [`disconnect`].
pub(crate) fn newcomers() -> usize {
    Fresh::clients(NEWCOMERS_FOR)
}

/// Begins to open connections, `width` at a time, and holds them until `stop`.
pub(crate) fn quiet_crew(
    target: &Target,
    connections: usize,
    width: usize,
    stop: &Arc<AtomicBool>,
) -> anyhow::Result<Crew<Quiet>> {
    let threads = threads(connections)?;
    let doors = |thread| (thread..connections).step_by(threads).map(|user| target.notifications(user)).collect();
    let shares: Vec<(Vec<Door>, Quiet)> = (0..threads).map(|thread| (doors(thread), Quiet(Arc::clone(stop)))).collect();
    let crew = Crew::start(shares, width);
    crew.go(Schedule::after(Duration::ZERO, PATIENCE));
    Ok(crew)
}

/// Each has a descriptor table of its own, which holds so many connections and no more.
fn threads(connections: usize) -> anyhow::Result<usize> {
    Ok(connections.div_ceil(connections_at_most()?))
}

fn finish(crew: Crew<Quiet>, stop: &AtomicBool) -> anyhow::Result<Latencies> {
    stop.store(true, Ordering::Relaxed);
    Latencies::merged(crew.join()?.iter().map(|done| &done.handshakes))
}

fn failures(figures: &mut Figures, crew: &Crew<Quiet>) {
    figures.count("refused", crew.count.refused.load(Ordering::Relaxed) as u64);
    figures.count("lost", crew.count.lost.load(Ordering::Relaxed) as u64);
}

/// Growth for each connection.
#[expect(clippy::cast_precision_loss, reason = "memory is far below 2^52 KiB")]
pub(crate) fn each(after: u64, before: u64, connections: usize) -> f64 {
    (after as f64 - before as f64) / connections as f64
}
