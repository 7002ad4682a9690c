//! What the run showed.

use std::time::Duration;

use super::{
    drivers::{Offered, Tally},
    riders::Placed,
};
use crate::{
    latencies::{Latencies, head},
    say,
};

/// 99 of 100 orders must be with a driver within this.
const P99_BAR: Duration = Duration::from_millis(50);

/// Everything measured in one run.
pub(super) struct Report {
    pub(super) seconds: u32,
    /// Sockets that the server or the network ended.
    pub(super) lost: usize,
    /// CPU time within the measured seconds.
    pub(super) server_cpu: Duration,
    pub(super) client_cpu: Duration,
    pub(super) peak_resident_kib: u64,
    pub(super) orders: Placed,
    /// Trips that ended in the middle.
    pub(super) failed_trips: usize,
    /// From the beginning on.
    pub(super) tally: Tally,
}

impl Report {
    pub(super) fn print(&self) -> anyhow::Result<()> {
        say(&head())?;
        say(&self.orders.took.line("order due -> 201"))?;
        say(&self.committed()?.line("order made -> new_order"))?;
        say(&self.acknowledged()?.line("201 -> new_order"))?;
        let Tally { offers, accepted, timeouts, positions, unexpected, .. } = &self.tally;
        say(&format!(
            "measured {} orders in {} s, of them without an offer {}; in the whole run {offers} offers, {accepted} accepted, \
             {timeouts} ended without an answer, {positions} positions",
            self.orders.acknowledged_at.len(),
            self.seconds,
            self.missing(),
        ))?;
        let cores = |cpu: Duration| cpu.as_secs_f64() / f64::from(self.seconds);
        say(&format!(
            "cores: server {:.2}, load generator {:.2}; the server's memory {} MiB at most; failed trips {}, \
             sockets lost {}, unexpected messages {unexpected}",
            cores(self.server_cpu),
            cores(self.client_cpu),
            self.peak_resident_kib / 1_024,
            self.failed_trips,
            self.lost,
        ))?;
        Ok(())
    }

    /// Fails when the bar is missed.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let p99 = self.committed()?.percentile(99.0);
        anyhow::ensure!(p99 < P99_BAR, "too late: 99th percentile {p99:?}, must be below {P99_BAR:?}");
        anyhow::ensure!(self.missing() == 0, "{} orders were never offered", self.missing());
        anyhow::ensure!(self.failed_trips == 0, "{} trips failed: this is not the load asked for", self.failed_trips);
        anyhow::ensure!(self.lost == 0, "{} drivers lost their sockets", self.lost);
        Ok(())
    }

    /// From the beginning of the order's transaction to the first driver's socket.
    fn committed(&self) -> anyhow::Result<Latencies> {
        Latencies::of(self.offered().map(|(_, offered)| micros(offered.created_at, offered.arrived_at)))
    }

    /// From the rider's answer to the first driver's socket; nothing where that came first.
    fn acknowledged(&self) -> anyhow::Result<Latencies> {
        Latencies::of(self.offered().map(|(at, offered)| micros(at, offered.arrived_at)))
    }

    fn offered(&self) -> impl Iterator<Item = (i64, &Offered)> {
        let first = &self.tally.first_offers;
        self.orders.acknowledged_at.iter().filter_map(|(order_id, at)| Some((*at, first.get(order_id)?)))
    }

    fn missing(&self) -> usize {
        self.orders.acknowledged_at.len() - self.offered().count()
    }
}

fn micros(from: i64, to: i64) -> u64 {
    u64::try_from(to - from).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::collections::HashMap;

    use super::*;

    fn report(acknowledged: &[(i64, i64)], offered: &[(i64, i64, i64)]) -> Report {
        let first = offered
            .iter()
            .map(|(id, created_at, arrived_at)| (*id, Offered { created_at: *created_at, arrived_at: *arrived_at }));
        Report {
            seconds: 1,
            lost: 0,
            server_cpu: Duration::ZERO,
            client_cpu: Duration::ZERO,
            peak_resident_kib: 0,
            orders: Placed {
                acknowledged_at: acknowledged.iter().copied().collect::<HashMap<_, _>>(),
                took: Latencies::new().unwrap(),
            },
            failed_trips: 0,
            tally: Tally { first_offers: first.collect(), ..Tally::default() },
        }
    }

    #[test]
    fn only_measured_orders_count_and_all_of_them_must_be_offered() {
        let good = report(&[(1, 2_000), (2, 3_000)], &[(1, 1_000, 3_000), (2, 1_500, 2_500), (3, 0, 9_000_000)]);
        assert_eq!(good.committed().unwrap().percentile(100.0).as_millis(), 2);
        assert_eq!(good.acknowledged().unwrap().percentile(0.0), Duration::ZERO, "the offer may come before the 201");
        good.check().unwrap();
        assert!(report(&[(1, 0), (2, 0)], &[(1, 0, 1)]).check().is_err());
        assert!(report(&[(1, 0)], &[(1, 0, 60_000)]).check().is_err());
    }
}
