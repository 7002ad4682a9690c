//! Opens connections, holds them, and lets them go.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::sleep,
    time::{Duration, Instant},
};

use super::{KIB_OF_A_GIB, WIDTH};
use crate::{
    latencies::Latencies,
    load::{Crew, Figures, KernelMemory, Quiet, Target, available_kib, each, own_cpu_time, quiet_crew},
    process::Process,
    progress::Bar,
};

const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long the sockets may take to go.
const CLOSES_WITHIN: Duration = Duration::from_secs(300);
/// How long a server has to give memory back.
const GIVE_BACK: Duration = Duration::from_secs(10);

/// Connections that are to be held.
pub(super) struct Crowd<'a> {
    pub(super) target: &'a Target,
    pub(super) connections: usize,
    pub(super) hold: Duration,
    /// With less memory available it gives up.
    pub(super) least_free_kib: u64,
    /// Somebody wants it to end.
    pub(super) interrupted: Arc<AtomicBool>,
}

/// CPU time that was used until a moment.
struct Clock {
    at: Instant,
    server: Duration,
    client: Duration,
}

/// Memory that is in use.
struct Memory {
    server_kib: u64,
    client_kib: u64,
    kernel: KernelMemory,
}

impl Crowd<'_> {
    pub(super) fn measure(&self) -> anyhow::Result<Figures> {
        let (mut figures, before) = (Figures::default(), self.memory()?);
        let (stop, began) = (Arc::new(AtomicBool::new(false)), self.clock()?);
        let crew = quiet_crew(self.target, self.connections, WIDTH, &stop)?;
        self.open(&crew)?;
        let opened = self.clock()?;
        let count = count(&crew.count.opened);
        figures.count("connections", count as u64);
        figures.rates(count as u64, opened.at - began.at, opened.server.saturating_sub(began.server));
        figures.set("opening_s", (opened.at - began.at).as_secs_f64());

        self.keep(&crew)?;
        self.clock()?.cores_since(&opened, &mut figures);
        self.memory()?.grown(&before, count.max(1), &mut figures);
        self.close(crew, &stop, &before, &mut figures)?;
        sleep(GIVE_BACK);
        let kept = self.target.observed.proportional_kib()?;
        figures.set("kib_kept_per_connection", each(kept, before.server_kib, count.max(1)));
        Ok(figures)
    }

    fn open(&self, crew: &Crew<Quiet>) -> anyhow::Result<()> {
        let (began, mut bar) = (Instant::now(), Bar::new("opening", self.connections));
        loop {
            let (opened, refused) = (count(&crew.count.opened), count(&crew.count.refused));
            let free = self.look_out()?;
            let seconds = began.elapsed().as_secs_f64();
            let rate = each(opened as u64, 0, 1) / seconds.max(f64::MIN_POSITIVE);
            bar.show(opened + refused, &format!("{rate:.0} a second, {refused} refused, {free} GiB free"));
            if opened + refused >= self.connections {
                return Ok(());
            }
            anyhow::ensure!(crew.is_running(), "a thread of the load generator has ended");
            sleep(LOOK_EVERY);
        }
    }

    fn keep(&self, crew: &Crew<Quiet>) -> anyhow::Result<()> {
        let (began, mut bar) = (Instant::now(), Bar::new("holding, seconds", seconds(self.hold)));
        while began.elapsed() < self.hold {
            let free = self.look_out()?;
            bar.show(seconds(began.elapsed()), &format!("{} lost, {free} GiB free", count(&crew.count.lost)));
            sleep(LOOK_EVERY);
        }
        bar.show(seconds(self.hold), &format!("{} lost", count(&crew.count.lost)));
        Ok(())
    }

    /// Ends with an error what should not go on; tells how many GiB are free.
    fn look_out(&self) -> anyhow::Result<u64> {
        // Whose server has ended, has no CPU time.
        self.target.observed.cpu_time()?;
        let free = available_kib()?;
        anyhow::ensure!(!self.interrupted.load(Ordering::Relaxed), "interrupted");
        anyhow::ensure!(
            free >= self.least_free_kib,
            "given up with {} MiB of memory left: see --keep-free",
            free / 1_024
        );
        Ok(free / KIB_OF_A_GIB)
    }

    /// The load generator closes its ends; the server is done when the kernel has freed both.
    fn close(
        &self,
        crew: Crew<Quiet>,
        stop: &AtomicBool,
        before: &Memory,
        figures: &mut Figures,
    ) -> anyhow::Result<()> {
        let totals = Arc::clone(&crew.count);
        figures.count("refused", count(&totals.refused) as u64);
        figures.count("lost", count(&totals.lost) as u64);
        let (began, mut bar) = (self.clock()?, Bar::new("closing, sockets", 2 * self.connections));
        stop.store(true, Ordering::Relaxed);
        let done = crew.join()?;
        loop {
            let left = KernelMemory::read()?.sockets.saturating_sub(before.kernel.sockets);
            let gone = (2 * self.connections).saturating_sub(usize::try_from(left)?);
            bar.show(gone, &format!("{left} left"));
            // Some others of the machine may have come meanwhile.
            if left <= self.connections as u64 / 1_000 || began.at.elapsed() > CLOSES_WITHIN {
                break;
            }
            sleep(LOOK_EVERY);
        }
        let closed = self.clock()?;
        figures.set("closing_s", (closed.at - began.at).as_secs_f64());
        figures.set("closing_server_cpu_s", closed.server.saturating_sub(began.server).as_secs_f64());
        figures.latencies(&Latencies::merged(done.iter().map(|done| &done.handshakes))?);
        Ok(())
    }

    fn clock(&self) -> anyhow::Result<Clock> {
        Ok(Clock { at: Instant::now(), server: self.target.observed.cpu_time()?, client: own_cpu_time()? })
    }

    fn memory(&self) -> anyhow::Result<Memory> {
        let kernel = KernelMemory::settled()?;
        let (server_kib, client_kib) =
            (self.target.observed.proportional_kib()?, Process::new("self").proportional_kib()?);
        Ok(Memory { server_kib, client_kib, kernel })
    }
}

impl Clock {
    fn cores_since(&self, before: &Self, figures: &mut Figures) {
        let seconds = (self.at - before.at).as_secs_f64();
        figures.set("held_s", seconds);
        figures.set("held_server_cores", self.server.saturating_sub(before.server).as_secs_f64() / seconds);
        figures.set("held_client_cores", self.client.saturating_sub(before.client).as_secs_f64() / seconds);
    }
}

impl Memory {
    fn grown(&self, before: &Self, connections: usize, figures: &mut Figures) {
        for (name, now, before) in [
            ("server", self.server_kib, before.server_kib),
            ("client", self.client_kib, before.client_kib),
            ("slab", self.kernel.slab_kib, before.kernel.slab_kib),
        ] {
            figures.set(&format!("{name}_mib"), each(now, 0, 1_024));
            figures.set(&format!("{name}_grown_mib"), each(now, before, 1_024));
            figures.set(&format!("{name}_kib_per_connection"), each(now, before, connections));
        }
        if let Some(kernel) = self.kernel.kib_per_pair(&before.kernel, connections) {
            figures.set("kernel_kib_per_pair", kernel);
        }
        for (cache, grown) in self.kernel.grown_by_cache(&before.kernel) {
            figures.set(&format!("cache_{cache}_mib"), grown / 1_024.0);
        }
        figures.set("tcp_buffers_mib", each(self.kernel.buffers_kib, 0, 1_024));
        figures.count("sockets", self.kernel.sockets);
    }
}

fn count(counter: &AtomicUsize) -> usize {
    counter.load(Ordering::Relaxed)
}

fn seconds(duration: Duration) -> usize {
    usize::try_from(duration.as_secs()).unwrap_or(usize::MAX)
}
