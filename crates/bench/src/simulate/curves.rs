//! What the charts of a report show.

use super::{
    comparison::Case,
    metrics::Metrics,
    moment::{DAY, MINUTE},
    outcome::{End, OrderOutcome},
    rules::OURS,
    table::supplies,
};
use crate::{
    chart::{
        Scale,
        dots::{self, Panel, Row},
        lines::{self, Axis, Curve},
    },
    numbers::{mean, number},
};

/// A chart under the name of its file.
pub(super) struct Chart {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) svg: String,
}

/// All charts of a comparison.
pub(super) fn draw(cases: &[Case]) -> Vec<Chart> {
    let served =
        dots_of(cases, "served", "Orders that a driver took", "percent of all orders; more is better", 1, |run| {
            run.served
        });
    let age = dots_of(
        cases,
        "age",
        "How long the unluckiest wait",
        "seconds until an order is taken or given up, 99th percentile; less is better",
        0,
        |run| run.age_p99,
    );
    let mut charts = vec![served, age];
    for cases in supplies(cases) {
        charts.push(answers(cases));
        charts.extend(day(cases));
    }
    charts
}

fn dots_of(cases: &[Case], name: &str, title: &str, unit: &str, digits: usize, figure: fn(&Metrics) -> f64) -> Chart {
    let row = |case: &Case| Row {
        label: case.rule.name.clone(),
        values: case.runs.iter().map(figure).collect(),
        own: case.rule.name == OURS,
    };
    let panel = |cases: &[Case]| Panel { title: supply(cases), rows: cases.iter().map(row).collect() };
    let panels: Vec<_> = supplies(cases).map(panel).collect();
    let days = if cases.iter().any(|case| case.runs.len() > 1) { "; small dots: single days" } else { "" };
    let unit = format!("{unit}{days}");
    Chart { name: name.to_owned(), title: title.to_owned(), svg: dots::draw(title, &unit, digits, &panels) }
}

/// How many orders have a driver after how long.
fn answers(cases: &[Case]) -> Chart {
    let curve = |case: &Case| {
        let orders: Vec<_> = case.outcomes.iter().flat_map(|outcome| &outcome.orders).copied().collect();
        Curve { label: case.rule.name.clone(), points: taken_after(&orders), own: case.rule.name == OURS }
    };
    let across = Axis {
        name: "time since the request",
        scale: Scale::logarithmic(1.0, 900.0),
        ticks: vec![1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0, 300.0, 600.0],
        text: |seconds| if seconds < 60.0 { format!("{seconds} s") } else { format!("{} min", seconds / 60.0) },
    };
    let up = percents(Scale::linear(0.0, 100.0));
    let curves: Vec<_> = cases.iter().map(curve).collect();
    let title = format!("How soon an order has a driver: {}", supply(cases));
    let svg = lines::draw(&title, "percent of all orders", &across, &up, &curves);
    Chart { name: format!("accept-{}", file_name(cases)), title, svg }
}

/// Points of a curve: enough for the width of a chart.
const POINTS: u32 = 120;

fn taken_after(orders: &[OrderOutcome]) -> Vec<(f64, f64)> {
    let taken = |order: &OrderOutcome| match order.end {
        End::Accepted { after, .. } => after.as_secs_f64(),
        _ => f64::INFINITY,
    };
    let mut times: Vec<_> = orders.iter().map(taken).collect();
    times.sort_unstable_by(f64::total_cmp);
    let seconds = (0..=POINTS).map(|n| 900_f64.powf(f64::from(n) / f64::from(POINTS)));
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    let share = |until: f64| times.partition_point(|time| *time <= until) as f64 / (times.len().max(1)) as f64 * 100.0;
    seconds.map(|until| (until, share(until))).collect()
}

/// How many of the orders of each quarter of an hour were taken; nothing where there is only one.
fn day(cases: &[Case]) -> Option<Chart> {
    let curves: Vec<_> = cases
        .iter()
        .map(|case| Curve { label: case.rule.name.clone(), points: by_quarter(case), own: case.rule.name == OURS })
        .collect();
    let times = curves.iter().flat_map(|curve| &curve.points);
    let (from, to) = times.clone().fold((f64::MAX, f64::MIN), |(from, to), (at, _)| (from.min(*at), to.max(*at)));
    if from >= to {
        return None;
    }
    let least = times.map(|(_, served)| *served).fold(100.0, f64::min);
    let scale = Scale::linear(from, to);
    let step = [0.25, 0.5, 1.0, 2.0].into_iter().find(|step| (to - from) / step <= 8.0).unwrap_or(4.0);
    let across = Axis { name: "time of the request", scale, ticks: scale.multiples(step), text: clock };
    let up = percents(Scale::around([least, 100.0].into_iter()));
    let title = format!("Served over the day: {}", supply(cases));
    let svg = lines::draw(&title, "percent of the orders of each quarter of an hour", &across, &up, &curves);
    Some(Chart { name: format!("day-{}", file_name(cases)), title, svg })
}

/// Hours of the day, with the percentage of what was ordered in that quarter of an hour on all days together.
fn by_quarter(case: &Case) -> Vec<(f64, f64)> {
    let mut quarters = std::collections::BTreeMap::<i64, Vec<f64>>::new();
    for order in case.outcomes.iter().flat_map(|outcome| &outcome.orders) {
        let quarter = order.requested_at.as_micros().rem_euclid(DAY) / (15 * MINUTE);
        let is_served = matches!(order.end, End::Accepted { .. });
        quarters.entry(quarter).or_default().push(if is_served { 100.0 } else { 0.0 });
    }
    #[expect(clippy::cast_precision_loss, reason = "a day has few quarters")]
    let hour = |quarter: i64| quarter as f64 / 4.0;
    quarters.into_iter().map(|(quarter, served)| (hour(quarter), mean(served.into_iter()))).collect()
}

fn supply(cases: &[Case]) -> String {
    cases.first().map(|case| case.supply.title()).unwrap_or_default()
}

fn file_name(cases: &[Case]) -> String {
    cases.first().map(|case| case.supply.name.replace(' ', "-")).unwrap_or_default()
}

fn percents(scale: Scale) -> Axis {
    Axis { name: "", scale, ticks: scale.ticks(5.0), text: |value| format!("{} %", number(value, 0)) }
}

fn clock(hours: f64) -> String {
    let minutes = (hours * 60.0).round();
    format!("{:02.0}:{:02.0}", (minutes / 60.0).floor(), minutes % 60.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::float_cmp, clippy::unwrap_used, reason = "exact shares; tests")]

    use std::time::Duration;

    use super::*;
    use crate::simulate::{
        moment::at,
        outcome::{OfferEnds, Outcome, Violations},
        rules,
    };

    /// One rule, one day, and an order in each of these quarters of an hour.
    fn case(quarters: &[i64]) -> Case {
        let order = |quarter: &i64| OrderOutcome {
            requested_at: at(quarter * 15 * MINUTE),
            offers: 1,
            end: End::Accepted { after: Duration::ZERO, pickup_km: 0.0, wait: Duration::ZERO },
        };
        let outcome = Outcome {
            seed: 1,
            orders: quarters.iter().map(order).collect(),
            offers: OfferEnds::default(),
            idle: 0.0,
            violations: Violations::default(),
            simulated: Duration::from_secs(1),
        };
        let runs = vec![Metrics::new(&outcome, Duration::from_secs(1))];
        let (rule, supply) = (rules::parse(OURS).unwrap().remove(0), "3".parse().unwrap());
        Case { rule, supply, runs, outcomes: vec![outcome] }
    }

    #[test]
    fn a_single_quarter_has_no_curve_and_a_single_day_no_dots() {
        let names = |quarters: &[i64]| draw(&[case(quarters)]).into_iter().map(|chart| chart.name).collect::<Vec<_>>();
        assert_eq!(names(&[64, 64]), ["served", "age", "accept-3-drivers"]);
        assert_eq!(names(&[64, 65]), ["served", "age", "accept-3-drivers", "day-3-drivers"]);
        assert!(!draw(&[case(&[64])])[0].svg.contains("single days"));
    }

    #[test]
    fn the_curve_ends_where_the_share_of_the_served_is() {
        let taken = |after| End::Accepted { after: Duration::from_secs(after), pickup_km: 0.0, wait: Duration::ZERO };
        let order = |end| OrderOutcome { requested_at: at(0), offers: 1, end };
        let orders = [taken(10), taken(300), End::Left(Duration::from_secs(3)), End::Forgotten].map(order);
        let points = taken_after(&orders);
        let share = |until: f64| points.iter().rfind(|(at, _)| *at <= until).map(|(_, share)| *share);
        assert_eq!([share(5.0), share(60.0), share(900.1)], [Some(0.0), Some(25.0), Some(50.0)]);
    }

    #[test]
    fn hours_are_written_as_clocks_show_them() {
        assert_eq!([16.0, 16.5, 9.25].map(clock), ["16:00", "16:30", "09:15"]);
    }
}
