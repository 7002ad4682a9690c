//! What the run showed, as a table.

use hdrhistogram::Histogram;

use super::{Args, Figures};
use crate::numbers::number;

/// Moves a second on one core that there must be.
const MOVES: f64 = 250_000.0;
/// Microseconds that 99 of 100 searches for one driver, and for ten, must not reach.
const P99_MICROS: [f64; 2] = [100.0, 200.0];

pub(super) fn head(args: &Args) -> [String; 4] {
    let Args { drivers, busy, radius, .. } = args;
    [
        format!(
            "{} drivers, {:.0} % of them busy, within {radius} km; one thread, its time on a core",
            number(f64::from(*drivers), 0),
            busy.0 * 100.0
        ),
        String::new(),
        "| cities | bytes a driver | moves a second | nearest: p50, p99, max | nearest 10: p50, p99, max |".to_owned(),
        "|---:|---:|---:|---:|---:|".to_owned(),
    ]
}

pub(super) fn row(cities: u32, figures: &Figures) -> String {
    let Figures { bytes_per_driver, moves_per_second, nearest, nearest_ten } = figures;
    format!(
        "| {cities} | {} | {} | {} | {} |",
        number(*bytes_per_driver, 0),
        number(*moves_per_second, 0),
        latencies(nearest),
        latencies(nearest_ten),
    )
}

fn latencies(nanos: &Histogram<u64>) -> String {
    let [p50, p99, max] = [50.0, 99.0, 100.0].map(|percent| number(micros(nanos, percent), 1));
    format!("{p50}, {p99}, {max} µs")
}

#[expect(clippy::cast_precision_loss, reason = "less than 52 bits")]
fn micros(nanos: &Histogram<u64>, percent: f64) -> f64 {
    nanos.value_at_percentile(percent) as f64 / 1_000.0
}

pub(super) fn check(figures: &Figures) -> anyhow::Result<()> {
    let moves = figures.moves_per_second;
    anyhow::ensure!(moves >= MOVES, "{moves:.0} moves a second are fewer than {MOVES:.0}");
    for (took, aim) in [&figures.nearest, &figures.nearest_ten].into_iter().zip(P99_MICROS) {
        let p99 = micros(took, 99.0);
        anyhow::ensure!(p99 < aim, "1 % of the searches took {p99:.1} µs or more; the aim is {aim} µs");
    }
    Ok(())
}
