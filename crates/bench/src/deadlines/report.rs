//! What the run showed.

use std::time::Duration;

use super::driver::Offer;
use crate::{
    latencies::{Latencies, head},
    say,
};

/// The median lateness must stay below this.
const MEDIAN_BAR: Duration = Duration::from_millis(20);
/// So must the 99th percentile.
const P99_BAR: Duration = Duration::from_millis(100);

/// Everything measured in one run.
pub(super) struct Report {
    expected: usize,
    /// When the last offer had arrived, in microseconds since the epoch.
    pub(super) all_live_at: i64,
    /// Offers that were live then.
    pub(super) still_live: usize,
    /// The server's CPU time while offers were made.
    pub(super) cpu_making: Duration,
    /// The server's CPU time while they waited and ended.
    pub(super) cpu_ending: Duration,
    pub(super) peak_resident_kib: u64,
    /// By driver, in the order of arrival.
    pub(super) offers: Vec<Vec<Offer>>,
    /// How long it took to have an order acknowledged.
    pub(super) placed: Latencies,
}

/// What may not happen, and how often it did.
#[derive(Debug, Default, PartialEq, Eq)]
struct Faults {
    /// Offers that did not end.
    missing: usize,
    /// Offers that ended more than once.
    twice: usize,
    /// Offers that ended before their time.
    early: usize,
}

impl Faults {
    fn count<'o>(first: impl Iterator<Item = &'o Offer> + Clone, all: impl Iterator<Item = &'o Offer> + Clone) -> Self {
        Self {
            missing: first.filter(|offer| offer.ended_at.is_empty()).count(),
            twice: all.clone().filter(|offer| offer.ended_at.len() > 1).count(),
            early: all.filter(|offer| offer.ended_at.iter().any(|at| *at < offer.expires_at)).count(),
        }
    }
}

impl Report {
    pub(super) fn new(expected: usize) -> anyhow::Result<Self> {
        Ok(Self {
            expected,
            all_live_at: 0,
            still_live: 0,
            cpu_making: Duration::ZERO,
            cpu_ending: Duration::ZERO,
            peak_resident_kib: 0,
            offers: Vec::new(),
            placed: Latencies::new()?,
        })
    }

    pub(super) fn print(&self) -> anyhow::Result<()> {
        say(&format!(
            "live at once: {} of {} offers; offered again: {}",
            self.still_live,
            self.expected,
            self.later()
        ))?;
        say(&head())?;
        say(&self.placed.line("order acknowledged (201)"))?;
        let offered = self.first().map(|offer| offer.offered_at.abs_diff(offer.created_at));
        say(&Latencies::of(offered)?.line("order made -> new_order"))?;
        say(&self.lateness()?.line("deadline -> order_timeout"))?;
        let (making, ending) = (self.cpu_making.as_secs_f64(), self.cpu_ending.as_secs_f64());
        let memory = self.peak_resident_kib / 1_024;
        say(&format!(
            "server: {making:.1} s CPU while orders came, {ending:.1} s while offers ended, {memory} MiB at most"
        ))?;
        Ok(())
    }

    /// Fails when an offer did not end, ended twice, or ended too early, or when they were not all live at once.
    pub(super) fn check_exactly_once(&self) -> anyhow::Result<()> {
        let faults = Faults::count(self.first(), self.offers.iter().flatten());
        anyhow::ensure!(
            faults == Faults::default(),
            "offers must end exactly once and not before their time: {faults:?}"
        );
        let (live, expected) = (self.still_live, self.expected);
        anyhow::ensure!(
            live == expected,
            "only {live} of {expected} offers were live at once: this is not the load asked for"
        );
        say("every offer ended exactly once")?;
        Ok(())
    }

    /// Fails when the bars are missed.
    pub(super) fn check_punctual(&self) -> anyhow::Result<()> {
        let lateness = self.lateness()?;
        let (median, p99) = (lateness.percentile(50.0), lateness.percentile(99.0));
        let within = median < MEDIAN_BAR && p99 < P99_BAR;
        anyhow::ensure!(
            within,
            "too late: median {median:?} (must be below {MEDIAN_BAR:?}), 99th percentile {p99:?} (below {P99_BAR:?})"
        );
        Ok(())
    }

    /// From deadline to arrival.
    fn lateness(&self) -> anyhow::Result<Latencies> {
        let ended = self.first().filter_map(|offer| Some((offer.expires_at, *offer.ended_at.first()?)));
        Latencies::of(ended.map(|(expires_at, ended_at)| u64::try_from(ended_at - expires_at).unwrap_or(0)))
    }

    /// The first offer of each order.
    fn first(&self) -> impl Iterator<Item = &Offer> + Clone {
        self.offers.iter().flatten().filter(|offer| offer.is_first)
    }

    /// Offers of orders that another driver had before.
    fn later(&self) -> usize {
        self.offers.iter().flatten().filter(|offer| !offer.is_first).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(ended_at: &[i64]) -> Offer {
        Offer { order_id: 1, created_at: 0, offered_at: 1, expires_at: 10, is_first: true, ended_at: ended_at.to_vec() }
    }

    #[test]
    fn an_offer_that_ends_once_and_in_time_is_no_fault() {
        let good = [offer(&[10]), offer(&[12])];
        assert_eq!(Faults::count(good.iter(), good.iter()), Faults::default());
    }

    #[test]
    fn each_fault_is_counted() {
        let all = [offer(&[]), offer(&[9]), offer(&[11, 12]), offer(&[])];
        let counted = Faults::count(all[..3].iter(), all.iter());
        assert_eq!(counted, Faults { missing: 1, twice: 1, early: 1 });
    }
}
