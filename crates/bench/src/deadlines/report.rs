//! What the run showed.

use std::{collections::HashMap, time::Duration};

use holodrive_protocol::OrderId;

use super::{driver::Offer, orders::Placed};
use crate::{
    latencies::{Latencies, head},
    say,
};

/// The median lateness must stay below this.
const MEDIAN_BAR: Duration = Duration::from_millis(20);
/// So must the 99th percentile.
const P99_BAR: Duration = Duration::from_millis(100);
/// So many percent of the orders must go to another driver as their first offers end.
const LEAST_LATER: usize = 95;

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
    pub(super) placed: HashMap<OrderId, Placed>,
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
    pub(super) fn new(expected: usize) -> Self {
        Self {
            expected,
            all_live_at: 0,
            still_live: 0,
            cpu_making: Duration::ZERO,
            cpu_ending: Duration::ZERO,
            peak_resident_kib: 0,
            offers: Vec::new(),
            placed: HashMap::new(),
        }
    }

    pub(super) fn print(&self) -> anyhow::Result<()> {
        say(&format!(
            "live at once: {} of {} offers; offered again: {}",
            self.still_live,
            self.expected,
            self.later()
        ))?;
        say(&head())?;
        let acknowledged = self.placed.values().map(|placed| micros(placed.due_at, placed.acknowledged_at));
        say(&Latencies::of(acknowledged)?.line("order due -> 201"))?;
        let due_at = |offer: &Offer| self.placed.get(&offer.order_id).map(|placed| placed.due_at);
        let offered = self.first().filter_map(|offer| Some(micros(due_at(offer)?, offer.offered_at)));
        say(&Latencies::of(offered)?.line("order due -> new_order"))?;
        let made = self.first().map(|offer| micros(offer.created_at, offer.offered_at));
        say(&Latencies::of(made)?.line("order made -> new_order"))?;
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

    /// Fails when orders were not offered again as their offers ended, which is work that would have been in the way.
    pub(super) fn check_load(&self) -> anyhow::Result<()> {
        let (later, expected) = (self.later(), self.expected);
        anyhow::ensure!(
            later * 100 >= expected * LEAST_LATER,
            "only {later} of {expected} orders were offered again: this is not the load asked for"
        );
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
        Latencies::of(ended.map(|(expires_at, ended_at)| micros(expires_at, ended_at)))
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

fn micros(from: i64, to: i64) -> u64 {
    u64::try_from(to - from).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

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

    #[test]
    fn orders_that_nobody_is_asked_for_again_are_not_the_load() {
        let later = |count| {
            let again = (0..count).map(|_| Offer { is_first: false, ..offer(&[]) });
            let offers = vec![again.chain([offer(&[10])]).collect()];
            Report { offers, ..Report::new(100) }
        };
        later(95).check_load().unwrap();
        let error = later(94).check_load().unwrap_err().to_string();
        assert_eq!(error, "only 94 of 100 orders were offered again: this is not the load asked for");
    }
}
