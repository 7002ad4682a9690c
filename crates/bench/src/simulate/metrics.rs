//! Figures of a run, and of the same rule over several seeds.

use std::time::Duration;

use super::outcome::{End, OrderOutcome, Outcome};
use crate::numbers::mean;

/// What is told of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Metrics {
    pub(crate) orders: f64,
    /// Percent of the orders that a driver took.
    pub(crate) served: f64,
    /// Percent of the orders whose rider left.
    pub(crate) left: f64,
    /// Percent of the orders whose search ended.
    pub(crate) no_driver: f64,
    /// Seconds from the request to the acceptance.
    pub(crate) accept: Spread,
    /// Straight kilometres from the driver to the pickup.
    pub(crate) pickup_km: Spread,
    /// Minutes from the request to the driver's arrival.
    pub(crate) wait: Spread,
    /// 99th percentile of the seconds until an order is taken or nobody is looked for any more.
    pub(crate) age_p99: f64,
    pub(crate) offers_per_order: f64,
    /// Percent of the offers.
    pub(crate) offers_accepted: f64,
    pub(crate) offers_declined: f64,
    pub(crate) offers_expired: f64,
    pub(crate) offers_unreachable: f64,
    pub(crate) offers_withdrawn: f64,
    /// Percent of the drivers' time without an order.
    pub(crate) idle: f64,
    pub(crate) violations: f64,
    /// How many times faster than the real city.
    pub(crate) speed_up: f64,
}

/// Mean and percentiles of what was measured many times.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Spread {
    pub(crate) mean: f64,
    pub(crate) p50: f64,
    pub(crate) p95: f64,
    pub(crate) p99: f64,
}

impl Spread {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_unstable_by(f64::total_cmp);
        let [p50, p95, p99] = [0.50, 0.95, 0.99].map(|share| quantile(&values, share));
        Self { mean: mean(values.iter().copied()), p50, p95, p99 }
    }
}

impl Metrics {
    /// `took` is how long the run took in reality.
    pub(crate) fn new(outcome: &Outcome, took: Duration) -> Self {
        let Outcome { orders, offers, idle, violations, simulated, .. } = outcome;
        let served = |pick: fn(Duration, f64, Duration) -> f64| {
            Spread::of(accepted(orders).map(|(after, km, wait)| pick(after, km, wait)).collect())
        };
        let share_of_orders =
            |is: fn(&End) -> bool| percent(count(orders.iter().filter(|order| is(&order.end))), count(orders.iter()));
        let share_of_offers = |ended: u64| percent(number(ended), number(offers.all()));
        Self {
            orders: count(orders.iter()),
            served: share_of_orders(|end| matches!(end, End::Accepted { .. })),
            left: share_of_orders(|end| matches!(end, End::Left(_))),
            no_driver: share_of_orders(|end| matches!(end, End::NoDriver(_))),
            accept: served(|after, _, _| after.as_secs_f64()),
            pickup_km: served(|_, km, _| km),
            wait: served(|_, _, wait| wait.as_secs_f64() / 60.0),
            age_p99: Spread::of(
                orders.iter().filter_map(|order| order.end.age()).map(|age| age.as_secs_f64()).collect(),
            )
            .p99,
            offers_per_order: mean(orders.iter().map(|order| f64::from(order.offers))),
            offers_accepted: share_of_offers(offers.accepted),
            offers_declined: share_of_offers(offers.declined),
            offers_expired: share_of_offers(offers.expired),
            offers_unreachable: share_of_offers(offers.unreachable),
            offers_withdrawn: share_of_offers(offers.withdrawn),
            idle: idle * 100.0,
            violations: number(violations.count),
            speed_up: simulated.as_secs_f64() / took.as_secs_f64().max(f64::MIN_POSITIVE),
        }
    }
}

/// Time to the acceptance, kilometres and wait of each order that was taken.
fn accepted(orders: &[OrderOutcome]) -> impl Iterator<Item = (Duration, f64, Duration)> {
    orders.iter().filter_map(|order| match order.end {
        End::Accepted { after, pickup_km, wait } => Some((after, pickup_km, wait)),
        _ => None,
    })
}

/// Mean of a figure over the runs, and how far the runs are from it: the standard deviation.
pub(crate) fn over(runs: &[Metrics], figure: impl Fn(&Metrics) -> f64) -> (f64, f64) {
    let middle = mean(runs.iter().map(&figure));
    (middle, mean(runs.iter().map(|run| (figure(run) - middle).powi(2))).sqrt())
}

/// The value that this share of the ascending values does not exceed; 0 without any.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
    let index = (number(sorted.len() as u64) * share).ceil() as usize;
    sorted[index.saturating_sub(1).min(last)]
}

fn percent(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole * 100.0 } else { 0.0 }
}

fn count<T>(items: impl Iterator<Item = T>) -> f64 {
    number(items.count() as u64)
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
const fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, reason = "round numbers")]

    use super::*;
    use crate::simulate::{
        moment::at,
        outcome::{OfferEnds, Violations},
    };

    #[test]
    fn shares_and_percentiles() {
        let seconds = Duration::from_secs;
        let taken = |after| End::Accepted { after: seconds(after), pickup_km: 0.5, wait: seconds(after + 60) };
        let ends = [taken(10), taken(20), End::Left(seconds(400)), End::NoDriver(seconds(900))];
        let orders = ends.map(|end| OrderOutcome { requested_at: at(0), offers: 2, end }).to_vec();
        let offers = OfferEnds { accepted: 2, declined: 1, expired: 4, unreachable: 1, withdrawn: 0 };
        let violations = Violations { count: 3, first: Vec::new() };
        let outcome = Outcome { seed: 1, orders, offers, idle: 0.25, violations, simulated: seconds(100) };
        let metrics = Metrics::new(&outcome, seconds(1));
        assert_eq!([metrics.served, metrics.left, metrics.no_driver], [50.0, 25.0, 25.0]);
        assert_eq!([metrics.accept.mean, metrics.accept.p50, metrics.accept.p95], [15.0, 10.0, 20.0]);
        assert_eq!([metrics.wait.mean, metrics.age_p99, metrics.offers_per_order], [1.25, 900.0, 2.0]);
        assert_eq!([metrics.offers_accepted, metrics.offers_expired, metrics.idle], [25.0, 50.0, 25.0]);
        assert_eq!([metrics.violations, metrics.speed_up], [3.0, 100.0]);
        let better = Metrics { served: 60.0, ..metrics };
        assert_eq!(over(&[metrics, better], |run| run.served), (55.0, 5.0));
    }

    #[test]
    fn nothing_has_quantiles_too() {
        assert_eq!(quantile(&[], 0.5), 0.0);
        assert_eq!([0.0, 0.5, 0.51, 1.0].map(|share| quantile(&[1.0, 2.0], share)), [1.0, 1.0, 2.0, 2.0]);
    }
}
