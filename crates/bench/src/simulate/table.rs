//! The comparison as tables.

use std::fmt::Write;

use super::{
    comparison::Case,
    metrics::{Metrics, over},
};
use crate::{chart::escape, numbers::number};

type Figure = fn(&Metrics) -> f64;

/// What stands in a column: its head, the figures with slashes between them, and their digits.
struct Column {
    head: &'static str,
    figures: &'static [Figure],
    digits: usize,
    over: Over,
}

/// What is told of several runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Over {
    Mean,
    /// The first figure with its standard deviation beside it.
    MeanAndSpread,
    Sum,
}

const fn column(head: &'static str, figures: &'static [Figure], digits: usize) -> Column {
    Column { head, figures, digits, over: Over::Mean }
}

const MAIN: &[Column] = &[
    Column { head: "served %", figures: &[|run| run.served], digits: 1, over: Over::MeanAndSpread },
    column("left / no driver %", &[|run| run.left, |run| run.no_driver], 1),
    column(
        "request → accept s: mean / p50 / p95 / p99",
        &[|run| run.accept.mean, |run| run.accept.p50, |run| run.accept.p95, |run| run.accept.p99],
        0,
    ),
    column("pickup km: mean / p95", &[|run| run.pickup_km.mean, |run| run.pickup_km.p95], 2),
    column("wait min: mean / p95", &[|run| run.wait.mean, |run| run.wait.p95], 1),
    column("age s: p99", &[|run| run.age_p99], 0),
];

const MORE: &[Column] = &[
    column("offers an order", &[|run| run.offers_per_order], 2),
    column("accepted %", &[|run| run.offers_accepted], 1),
    column("declined %", &[|run| run.offers_declined], 1),
    column("expired %", &[|run| run.offers_expired], 1),
    column("unreachable %", &[|run| run.offers_unreachable], 1),
    column("withdrawn %", &[|run| run.offers_withdrawn], 1),
    column("drivers idle %", &[|run| run.idle], 1),
    Column { head: "violations", figures: &[|run| run.violations], digits: 0, over: Over::Sum },
    column("times real time", &[|run| run.speed_up], 0),
];

/// Heads and rows.
pub(crate) struct Table {
    heads: Vec<&'static str>,
    rows: Vec<(String, Vec<String>)>,
}

impl Table {
    /// How riders fare.
    pub(crate) fn of_riders(cases: &[Case]) -> Self {
        Self::new(cases, MAIN)
    }

    /// How offers end, and how drivers fare.
    pub(crate) fn of_offers(cases: &[Case]) -> Self {
        Self::new(cases, MORE)
    }

    fn new(cases: &[Case], columns: &[Column]) -> Self {
        let row =
            |case: &Case| (case.rule.name.clone(), columns.iter().map(|column| cell(&case.runs, column)).collect());
        Self { heads: columns.iter().map(|column| column.head).collect(), rows: cases.iter().map(row).collect() }
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("| rule | {} |\n|---|{}\n", self.heads.join(" | "), "---:|".repeat(self.heads.len()));
        for (rule, cells) in &self.rows {
            // Writing to a string does not fail.
            let _ = writeln!(text, "| {rule} | {} |", cells.join(" | "));
        }
        text
    }

    pub(crate) fn html(&self) -> String {
        let mut text =
            format!("<table><thead><tr><th>rule</th><th>{}</th></tr></thead><tbody>\n", self.heads.join("</th><th>"));
        for (rule, cells) in &self.rows {
            // Writing to a string does not fail.
            let _ = writeln!(text, "<tr><th>{}</th><td>{}</td></tr>", escape(rule), cells.join("</td><td>"));
        }
        text + "</tbody></table>\n"
    }
}

/// What the cases of one supply have in common.
pub(crate) fn title(cases: &[Case]) -> String {
    let Some(first) = cases.first() else { return String::new() };
    let orders = number(over(&first.runs, |run| run.orders).0, 0);
    let (supply, seeds) = (first.supply.title(), first.runs.len());
    let days = if seeds == 1 { "1 seed".to_owned() } else { format!("{seeds} seeds") };
    format!("{supply}: {orders} orders, {days}")
}

/// The cases of each supply.
pub(crate) fn supplies(cases: &[Case]) -> impl Iterator<Item = &[Case]> {
    cases.chunk_by(|a, b| a.supply == b.supply)
}

/// Two tables for each supply.
pub(crate) fn markdown(cases: &[Case]) -> String {
    let section = |cases: &[Case]| {
        let (riders, offers) = (Table::of_riders(cases).markdown(), Table::of_offers(cases).markdown());
        format!("### {}\n\n{riders}\n{offers}\n", title(cases))
    };
    supplies(cases).map(section).collect()
}

fn cell(runs: &[Metrics], column: &Column) -> String {
    let figures: Vec<_> = column.figures.iter().map(|figure| over(runs, figure)).collect();
    let means: Vec<_> = figures.iter().map(|(mean, _)| number(*mean, column.digits)).collect();
    if column.over == Over::Sum {
        let sum = |figure: &Figure| number(runs.iter().map(figure).sum(), column.digits);
        return column.figures.iter().map(sum).collect::<Vec<_>>().join(" / ");
    }
    let spread = figures.first().filter(|_| column.over == Over::MeanAndSpread && runs.len() > 1);
    let spread = spread.map(|(_, spread)| format!(" ± {}", number(*spread, column.digits)));
    means.join(" / ") + &spread.unwrap_or_default()
}
