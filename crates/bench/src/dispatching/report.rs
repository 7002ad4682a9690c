//! What the run showed.

use std::{collections::HashMap, time::Duration};

use anyhow::Context;
use holodrive_protocol::OrderId;

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
/// Of the offers that are answered so many percent must be trips, and of the positions due so many must be told in time:
/// otherwise it was another load.
const LEAST_ACCEPTED: u64 = 95;
const LEAST_POSITIONS: u64 = 99;

/// Everything measured in one run.
pub(super) struct Report {
    pub(super) seconds: u32,
    /// Positions that were to be told within them.
    pub(super) positions_due: u64,
    /// Sockets that the server or the network ended.
    pub(super) lost: usize,
    /// CPU time within the measured seconds.
    pub(super) server_cpu: Duration,
    pub(super) client_cpu: Duration,
    pub(super) peak_resident_kib: u64,
    /// Those that were due within the measured seconds.
    pub(super) orders: HashMap<OrderId, Placed>,
    /// Trips that ended in the middle.
    pub(super) failed_trips: usize,
    /// From the beginning on.
    pub(super) tally: Tally,
}

impl Report {
    pub(super) fn print(&self) -> anyhow::Result<()> {
        say(&head())?;
        say(&self.until_offered(|placed, _| placed.due_at)?.line("order due -> new_order"))?;
        say(&self.until_acknowledged()?.line("order due -> 201"))?;
        say(&self.until_offered(|_, offered| offered.created_at)?.line("order made -> new_order"))?;
        say(&self.until_offered(|placed, _| placed.acknowledged_at)?.line("201 -> new_order"))?;
        let Tally { offers, answered, accepted, timeouts, positions, unexpected, .. } = &self.tally;
        say(&format!(
            "measured {} orders in {} s, of them without an offer {}; in the whole run {offers} offers, {accepted} accepted (due \
             were {answered}), {timeouts} ended without an answer, {positions} positions",
            self.orders.len(),
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
        let p99 = self.until_offered(|placed, _| placed.due_at)?.percentile(99.0);
        anyhow::ensure!(p99 < P99_BAR, "too late: 99th percentile {p99:?}, must be below {P99_BAR:?}");
        anyhow::ensure!(self.missing() == 0, "{} orders were never offered", self.missing());
        anyhow::ensure!(self.lost == 0, "{} drivers lost their sockets", self.lost);
        self.check_load().context("this is not the load asked for")
    }

    fn check_load(&self) -> anyhow::Result<()> {
        let Tally { answered, accepted, measured_positions, unexpected, .. } = self.tally;
        anyhow::ensure!(self.failed_trips == 0, "{} trips failed", self.failed_trips);
        anyhow::ensure!(unexpected == 0, "drivers got {unexpected} messages that they did not expect");
        anyhow::ensure!(
            accepted > 0 && accepted * 100 >= answered * LEAST_ACCEPTED,
            "of {answered} offers to drivers who answer {accepted} were accepted"
        );
        let due = self.positions_due;
        anyhow::ensure!(
            measured_positions * 100 >= due * LEAST_POSITIONS,
            "of {due} positions {measured_positions} were told in time"
        );
        Ok(())
    }

    fn until_acknowledged(&self) -> anyhow::Result<Latencies> {
        Latencies::of(self.orders.values().map(|placed| micros(placed.due_at, placed.acknowledged_at)))
    }

    /// From some moment to the first driver's socket; nothing where that came first.
    fn until_offered(&self, from: fn(Placed, &Offered) -> i64) -> anyhow::Result<Latencies> {
        Latencies::of(self.offered().map(|(placed, offered)| micros(from(placed, offered), offered.arrived_at)))
    }

    fn offered(&self) -> impl Iterator<Item = (Placed, &Offered)> {
        let first = &self.tally.first_offers;
        self.orders.iter().filter_map(|(order_id, placed)| Some((*placed, first.get(order_id)?)))
    }

    fn missing(&self) -> usize {
        self.orders.len() - self.offered().count()
    }
}

fn micros(from: i64, to: i64) -> u64 {
    u64::try_from(to - from).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// Orders by number, due, acknowledged; and their offers by number, made, arrived: in milliseconds.
    fn report(orders: &[(i64, i64, i64)], offered: &[(i64, i64, i64)]) -> Report {
        let placed =
            |(id, due, at): &(i64, i64, i64)| (*id, Placed { due_at: due * 1_000, acknowledged_at: at * 1_000 });
        let first =
            |(id, made, at): &(i64, i64, i64)| (*id, Offered { created_at: made * 1_000, arrived_at: at * 1_000 });
        Report {
            seconds: 1,
            positions_due: 200,
            lost: 0,
            server_cpu: Duration::ZERO,
            client_cpu: Duration::ZERO,
            peak_resident_kib: 0,
            orders: orders.iter().map(placed).collect(),
            failed_trips: 0,
            tally: Tally {
                first_offers: offered.iter().map(first).collect(),
                answered: 100,
                accepted: 95,
                measured_positions: 198,
                ..Tally::default()
            },
        }
    }

    fn good() -> Report {
        report(&[(1, 1, 4), (2, 1, 5)], &[(1, 3, 5), (2, 2, 4), (3, 0, 9_000)])
    }

    #[test]
    fn only_measured_orders_count_and_all_of_them_must_be_offered() {
        let good = good();
        let longest = |from| good.until_offered(from).unwrap().percentile(100.0).as_millis();
        assert_eq!([longest(|placed, _| placed.due_at), longest(|_, offered| offered.created_at)], [4, 2]);
        let after_201 = good.until_offered(|placed, _| placed.acknowledged_at).unwrap();
        assert_eq!(after_201.percentile(0.0), Duration::ZERO, "the offer may come before the 201");
        good.check().unwrap();
        assert!(report(&[(1, 0, 0), (2, 0, 0)], &[(1, 0, 1)]).check().is_err());
    }

    #[test]
    fn an_order_that_waited_before_its_transaction_is_late_too() {
        let error = report(&[(1, 0, 62)], &[(1, 59, 60)]).check().unwrap_err().to_string();
        assert!(error.starts_with("too late: 99th percentile 60"), "{error}");
    }

    #[test]
    fn without_its_load_a_run_shows_nothing() {
        let error = |change: fn(&mut Report)| {
            let mut report = good();
            change(&mut report);
            format!("{:#}", report.check().unwrap_err())
        };
        let told = |what: &str| format!("this is not the load asked for: {what}");
        assert_eq!(
            error(|report| report.tally.unexpected = 1),
            told("drivers got 1 messages that they did not expect")
        );
        let of_100 = "of 100 offers to drivers who answer 94 were accepted";
        assert_eq!(error(|report| report.tally.accepted = 94), told(of_100));
        let of_none = "of 0 offers to drivers who answer 0 were accepted";
        assert_eq!(error(|report| (report.tally.answered, report.tally.accepted) = (0, 0)), told(of_none));
        let late = "of 200 positions 197 were told in time";
        assert_eq!(error(|report| report.tally.measured_positions = 197), told(late));
        assert_eq!(error(|report| report.failed_trips = 2), told("2 trips failed"));
    }
}
