//! What must be reached, and whether it is.

use std::fmt::Write;

use super::{
    catalogue::{Entry, SCENARIOS},
    peers::Peer,
    results::{Results, median, spread},
};
use crate::numbers::{number, or_dash, ratio_number};

/// A bound for a figure of HoloDrive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    figure: &'static str,
    bound: Bound,
    /// The bound is a multiple of the best of these in the same round; of none: the figure itself.
    of: &'static [Peer],
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

/// More is better.
pub(super) const fn at_least(figure: &'static str, bound: f64) -> Target {
    Target { figure, bound: Bound::AtLeast(bound), of: &[] }
}

/// Less is better.
pub(super) const fn at_most(figure: &'static str, bound: f64) -> Target {
    Target { figure, bound: Bound::AtMost(bound), of: &[] }
}

impl Target {
    /// The bound is a multiple of what the best of these servers reaches.
    pub(super) const fn times(self, of: &'static [Peer]) -> Self {
        Self { of, ..self }
    }

    /// The figure, or its ratio, in each round.
    fn measured(&self, results: &Results) -> Vec<f64> {
        let rounds = |peer: &Peer| results.rounds(&peer.name(), self.figure).collect::<Vec<_>>();
        let (own, others) = (rounds(&Peer::Holodrive), self.of.iter().map(rounds).collect::<Vec<_>>());
        let of_round = |(round, own): (usize, Option<f64>)| {
            let all = others.iter().filter_map(|rounds| rounds.get(round).copied().flatten());
            let best = all.reduce(if matches!(self.bound, Bound::AtMost(_)) { f64::min } else { f64::max });
            if self.of.is_empty() { own } else { Some(own? / best?) }
        };
        own.into_iter().enumerate().filter_map(of_round).filter(|value| value.is_finite()).collect()
    }

    fn verdict(&self, results: Option<&Results>) -> Verdict {
        let measured = results.map(|results| self.measured(results)).unwrap_or_default();
        match (median(measured.clone()), self.bound) {
            (None, _) => Verdict::NotMeasured,
            (Some(value), Bound::AtLeast(bound)) => Verdict::of(value, value >= bound, measured),
            (Some(value), Bound::AtMost(bound)) => Verdict::of(value, value <= bound, measured),
        }
    }

    /// The bound in words.
    fn wanted(&self) -> String {
        let (word, bound) = match self.bound {
            Bound::AtLeast(bound) => ("≥", bound),
            Bound::AtMost(bound) => ("≤", bound),
        };
        match self.of {
            [] => format!("{word} {}", self.value(bound)),
            [one] => format!("{word} {} × {}", self.value(bound), one.label()),
            _ => format!("{word} {} × the best Django", self.value(bound)),
        }
    }

    fn value(&self, value: f64) -> String {
        if self.of.is_empty() { number(value, if value < 10.0 { 2 } else { 0 }) } else { ratio_number(value) }
    }
}

/// Whether a target is met.
#[derive(Clone, Debug, PartialEq)]
enum Verdict {
    Met(Measured),
    Missed(Measured),
    NotMeasured,
}

/// The median, and all rounds.
#[derive(Clone, Debug, PartialEq)]
struct Measured {
    median: f64,
    rounds: Vec<f64>,
}

impl Verdict {
    fn of(median: f64, is_met: bool, rounds: Vec<f64>) -> Self {
        let measured = Measured { median, rounds };
        if is_met { Self::Met(measured) } else { Self::Missed(measured) }
    }

    const fn word(&self) -> &'static str {
        match self {
            Self::Met(_) => "met",
            Self::Missed(_) => "**missed**",
            Self::NotMeasured => "not measured",
        }
    }

    const fn measured(&self) -> Option<&Measured> {
        match self {
            Self::Met(measured) | Self::Missed(measured) => Some(measured),
            Self::NotMeasured => None,
        }
    }
}

/// All targets, and which of them are met.
pub(super) struct Gate {
    rows: Vec<(&'static Entry, &'static Target, Verdict)>,
}

impl Gate {
    /// Looks at the results of all scenarios, or of those in `names` where there are any.
    pub(super) fn new(all: &[(&'static Entry, Results)], names: &[String]) -> Self {
        let wanted = |entry: &&Entry| names.is_empty() || names.iter().any(|name| name == entry.name);
        let results =
            |entry: &Entry| all.iter().find(|(other, _)| other.name == entry.name).map(|(_, results)| results);
        let of = |entry: &'static Entry| {
            entry.targets.iter().map(move |target| (entry, target, target.verdict(results(entry))))
        };
        Self { rows: SCENARIOS.iter().filter(wanted).flat_map(of).collect() }
    }

    /// A table for the document and the terminal.
    pub(super) fn table(&self) -> String {
        let mut text = "| scenario | figure | wanted | measured | least – most | rounds | |\n\
                        |---|---|---|---:|---:|---:|---|\n"
            .to_owned();
        for (entry, target, verdict) in &self.rows {
            let head =
                entry.columns.iter().find(|(figure, ..)| *figure == target.figure).map_or("", |(_, head, _)| head);
            let measured = verdict.measured();
            let spread = measured.and_then(|measured| spread(measured.rounds.iter().copied()));
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "| {} | {head} | {} | {} | {} | {} | {} |",
                entry.title,
                target.wanted(),
                or_dash(measured.map(|measured| target.value(measured.median))),
                or_dash(spread.map(|(least, most)| format!("{} – {}", target.value(least), target.value(most)))),
                measured.map_or(0, |measured| measured.rounds.len()),
                verdict.word(),
            );
        }
        text
    }

    /// # Errors
    /// When a target is missed, or was not measured.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let open = self.rows.iter().filter(|(.., verdict)| !matches!(verdict, Verdict::Met(_)));
        let open: Vec<_> = open.map(|(entry, target, _)| format!("{} {}", entry.name, target.wanted())).collect();
        anyhow::ensure!(open.is_empty(), "missed or not measured: {}", open.join("; "));
        Ok(())
    }
}

#[cfg(test)]
#[path = "targets_tests.rs"]
mod tests;
