//! What a run measured, by name.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use crate::latencies::Latencies;

/// Measured values by name; the name ends in the unit where there is one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figures(BTreeMap<String, f64>);

impl Figures {
    pub(crate) fn set(&mut self, name: &str, value: f64) {
        // Three digits behind the point are more than any of them is worth.
        self.0.insert(name.to_owned(), (value * 1_000.0).round() / 1_000.0);
    }

    pub(crate) fn count(&mut self, name: &str, value: u64) {
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        self.set(name, value as f64);
    }

    /// Median, 99th percentile and maximum in milliseconds.
    pub(crate) fn latencies(&mut self, latencies: &Latencies) {
        for (name, percent) in [("p50_ms", 50.0), ("p90_ms", 90.0), ("p99_ms", 99.0), ("max_ms", 100.0)] {
            self.set(name, milliseconds(latencies.percentile(percent)));
        }
    }

    /// Work for each second of time and for each second of CPU time of the server.
    pub(crate) fn rates(&mut self, units: u64, time: Duration, cpu: Duration) {
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
        let units = units as f64;
        self.set("per_s", units / time.as_secs_f64());
        self.set("per_cpu_s", units / cpu.as_secs_f64());
        self.set("server_cores", cpu.as_secs_f64() / time.as_secs_f64());
    }

    pub(crate) fn get(&self, name: &str) -> Option<f64> {
        self.0.get(name).copied()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
