//! Many durations, and what to say about them.

use std::time::Duration;

use hdrhistogram::Histogram;

/// Measured durations, kept to three digits.
pub(crate) struct Latencies(Histogram<u64>);

impl Latencies {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self(Histogram::new(3)?))
    }

    /// From durations in microseconds.
    pub(crate) fn of(micros: impl IntoIterator<Item = u64>) -> anyhow::Result<Self> {
        let mut all = Self::new()?;
        micros.into_iter().try_for_each(|micros| all.0.record(micros))?;
        Ok(all)
    }

    /// All of these together.
    pub(crate) fn merged<'a>(parts: impl Iterator<Item = &'a Self>) -> anyhow::Result<Self> {
        let mut all = Self::new()?;
        parts.into_iter().try_for_each(|part| all.merge(part))?;
        Ok(all)
    }

    pub(crate) fn record(&mut self, duration: Duration) -> anyhow::Result<()> {
        Ok(self.0.record(u64::try_from(duration.as_micros())?)?)
    }

    pub(crate) fn merge(&mut self, other: &Self) -> anyhow::Result<()> {
        Ok(self.0.add(&other.0)?)
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// The duration that `percent` of all do not exceed.
    pub(crate) fn percentile(&self, percent: f64) -> Duration {
        Duration::from_micros(self.0.value_at_percentile(percent))
    }

    /// One line: count, minimum, median, p90, p99 and maximum in milliseconds.
    pub(crate) fn line(&self, name: &str) -> String {
        let [min, median, p90, p99, max] =
            [0.0, 50.0, 90.0, 99.0, 100.0].map(|percent| self.percentile(percent).as_secs_f64() * 1_000.0);
        let count = self.count();
        format!("{name:<28} {count:>7} {min:>9.2} {median:>9.2} {p90:>9.2} {p99:>9.2} {max:>9.2}")
    }
}

/// What stands above the lines of [`Latencies::line`].
pub(crate) fn head() -> String {
    let [count, min, median, p90, p99, max] = ["count", "min", "median", "p90", "p99", "max"];
    format!("{:<28} {count:>7} {min:>9} {median:>9} {p90:>9} {p99:>9} {max:>9}", "milliseconds")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn percentiles_are_those_of_the_values() {
        let mut latencies = Latencies::of((1..=50).map(|ms| ms * 1_000)).unwrap();
        latencies.merge(&Latencies::of((51..=100).map(|ms| ms * 1_000)).unwrap()).unwrap();
        let near = |percent, ms: u64| latencies.percentile(percent).as_millis().abs_diff(u128::from(ms)) <= 1;
        assert!(near(50.0, 50) && near(99.0, 99) && near(100.0, 100));
        assert_eq!(latencies.count(), 100);
    }
}
