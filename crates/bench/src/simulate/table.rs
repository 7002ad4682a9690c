//! The comparison as a table in Markdown.

use std::fmt::Write;

use super::{
    comparison::Case,
    metrics::{Metrics, over},
};
use crate::numbers::number;

type Figure = fn(&Metrics) -> f64;

/// What stands in a column: its head, the figures with slashes between them, and their digits.
struct Column {
    head: &'static str,
    figures: &'static [Figure],
    digits: usize,
    /// Whether the first figure has its standard deviation beside it.
    spread: bool,
}

const fn column(head: &'static str, figures: &'static [Figure], digits: usize) -> Column {
    Column { head, figures, digits, spread: false }
}

const MAIN: &[Column] = &[
    Column { head: "served %", figures: &[|run| run.served], digits: 1, spread: true },
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
    column("violations", &[|run| run.violations], 0),
    column("times real time", &[|run| run.speed_up], 0),
];

/// Two tables for each supply: how riders fare, and how offers end.
pub(crate) fn draw(cases: &[Case]) -> String {
    let mut text = String::new();
    for supply in cases.chunk_by(|a, b| a.supply == b.supply) {
        let Some(first) = supply.first() else { continue };
        let orders = number(over(&first.runs, |run| run.orders).0, 0);
        let (name, drivers, seeds) = (&first.supply.name, first.supply.drivers, first.runs.len());
        // Writing to a string does not fail.
        let _ = writeln!(text, "### {name}: {drivers} drivers, {orders} orders, {seeds} seeds\n");
        text.push_str(&rows(supply, MAIN));
        text.push('\n');
        text.push_str(&rows(supply, MORE));
        text.push('\n');
    }
    text
}

fn rows(cases: &[Case], columns: &[Column]) -> String {
    let heads: Vec<_> = columns.iter().map(|column| column.head).collect();
    let mut text = format!("| rule | {} |\n|---|{}\n", heads.join(" | "), "---:|".repeat(columns.len()));
    for case in cases {
        let cells: Vec<_> = columns.iter().map(|column| cell(&case.runs, column)).collect();
        // Writing to a string does not fail.
        let _ = writeln!(text, "| {} | {} |", case.rule.name, cells.join(" | "));
    }
    text
}

fn cell(runs: &[Metrics], column: &Column) -> String {
    let figures: Vec<_> = column.figures.iter().map(|figure| over(runs, figure)).collect();
    let means: Vec<_> = figures.iter().map(|(mean, _)| number(*mean, column.digits)).collect();
    let spread = figures.first().filter(|_| column.spread && runs.len() > 1);
    let spread = spread.map(|(_, spread)| format!(" ± {}", number(*spread, column.digits)));
    means.join(" / ") + &spread.unwrap_or_default()
}
