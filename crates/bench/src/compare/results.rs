//! What was measured, kept as one JSON file for each scenario.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::machine::Machine;
use crate::load::Figures;

/// All rounds of one scenario.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Results {
    pub(crate) scenario: String,
    pub(crate) command: String,
    pub(crate) date: String,
    pub(crate) machine: Machine,
    /// The figures of each round, by server.
    pub(crate) servers: BTreeMap<String, Server>,
}

/// One server's part.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Server {
    pub(crate) version: String,
    pub(crate) rounds: Vec<Figures>,
}

impl Results {
    pub(crate) fn read(folder: &Path, scenario: &str) -> anyhow::Result<Option<Self>> {
        let file = folder.join(format!("{scenario}.json"));
        if !file.exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(&file)?;
        serde_json::from_str(&text).map(Some).with_context(|| format!("{} is damaged", file.display()))
    }

    pub(crate) fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let file = folder.join(format!("{}.json", self.scenario));
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))
    }

    /// The median of a figure over a server's rounds.
    pub(crate) fn median(&self, server: &str, figure: &str) -> Option<f64> {
        median(self.rounds(server, figure).flatten().collect())
    }

    /// The median of a server's ratio to another one, round by round: both had the same noise.
    pub(crate) fn ratio(&self, server: &str, to: &str, figure: &str) -> Option<f64> {
        let pairs = self.rounds(server, figure).zip(self.rounds(to, figure));
        let ratios = pairs.filter_map(|(one, other)| Some(one? / other?));
        median(ratios.filter(|ratio| ratio.is_finite()).collect())
    }

    /// The least and the greatest of a figure over a server's rounds.
    pub(crate) fn spread(&self, server: &str, figure: &str) -> Option<(f64, f64)> {
        spread(self.rounds(server, figure).flatten())
    }

    /// None in a round in which it was not measured.
    pub(crate) fn rounds(&self, server: &str, figure: &str) -> impl Iterator<Item = Option<f64>> + Clone {
        let rounds = self.servers.get(server).into_iter().flat_map(|server| &server.rounds);
        rounds.map(move |figures| figures.get(figure))
    }
}

/// The value in the middle, or between the two there.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let (middle, last) = (values.len() / 2, values.len().checked_sub(1)?);
    let other = if last % 2 == 0 { middle } else { middle - 1 };
    Some(f64::midpoint(values[middle], values[other]))
}

/// The least and the greatest.
pub(crate) fn spread(values: impl Iterator<Item = f64> + Clone) -> Option<(f64, f64)> {
    Some((values.clone().reduce(f64::min)?, values.reduce(f64::max)?))
}

#[cfg(test)]
mod tests {
    use super::median;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }
}
