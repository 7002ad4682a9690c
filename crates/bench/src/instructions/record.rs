//! What was recorded, and how it compares.

use std::{env::consts::ARCH, fs, process::Command};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::Figures;

/// In the repository, beside the sources that this program was built from.
const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.json");
/// Growth that a check lets pass.
const TOLERANCE_PERCENT: f64 = 10.0;

/// Figures to check against, and what they depend on.
#[derive(Serialize, Deserialize)]
pub(super) struct Record {
    /// Another compiler makes other instructions.
    pub(super) compiler: String,
    pub(super) architecture: String,
    pub(super) instructions: Figures,
}

impl Record {
    /// Figures of a server that was built here.
    pub(super) fn of(instructions: Figures) -> anyhow::Result<Self> {
        Ok(Self { compiler: compiler()?, architecture: ARCH.to_owned(), instructions })
    }

    pub(super) fn read() -> anyhow::Result<Self> {
        let text = fs::read_to_string(FILE).with_context(|| format!("{FILE}; --record makes it"))?;
        serde_json::from_str(&text).context(FILE)
    }

    pub(super) fn write(&self) -> anyhow::Result<()> {
        fs::write(FILE, serde_json::to_string_pretty(self)? + "\n").context(FILE)
    }

    /// A line for each figure.
    pub(super) fn compare(&self, figures: &Figures) -> Vec<String> {
        let line = |name: &String, now: &u64| {
            let percent = self.growth(name, *now);
            let remark = if percent < -TOLERANCE_PERCENT { "; much cheaper: `--record` it" } else { "" };
            let before = self.instructions.get(name).copied().unwrap_or_default();
            format!("{name:<12}{now:>12}, recorded {before:>12}: {percent:+.1} %{remark}")
        };
        figures.iter().map(|(name, now)| line(name, now)).collect()
    }

    /// # Errors
    /// When something takes over 10 % more instructions than recorded.
    pub(super) fn verdict(&self, figures: &Figures) -> anyhow::Result<()> {
        let grown: Vec<_> = figures.iter().filter_map(|(name, now)| self.complaint(name, *now)).collect();
        anyhow::ensure!(grown.is_empty(), "more instructions than recorded: {}. {}", grown.join("; "), self.advice());
        Ok(())
    }

    fn complaint(&self, name: &str, now: u64) -> Option<String> {
        let before = self.instructions.get(name).copied().unwrap_or_default();
        let percent = self.growth(name, now);
        (percent > TOLERANCE_PERCENT).then(|| format!("{name}: {before} before, {now} now, {percent:+.1} %"))
    }

    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 instructions")]
    fn growth(&self, name: &str, now: u64) -> f64 {
        let before = self.instructions.get(name).copied().unwrap_or_default();
        (now as f64 - before as f64) * 100.0 / before as f64
    }

    fn advice(&self) -> String {
        let intended = "If that is intended: `cargo build --workspace --bin holodrive --bin holodrive-bench`, then \
            `target/debug/holodrive-bench instructions --record --rounds 3`, and commit the file";
        match compiler() {
            Ok(compiler) if compiler != self.compiler => {
                format!("They are of {}, and this is {compiler}, which may be the reason. {intended}", self.compiler)
            }
            _ => intended.to_owned(),
        }
    }
}

fn compiler() -> anyhow::Result<String> {
    let version = Command::new("rustc").arg("--version").output().context("rustc does not start")?;
    Ok(String::from_utf8_lossy(&version.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn recorded() -> Record {
        Record { compiler: "rustc".into(), architecture: ARCH.into(), instructions: figures(1_000) }
    }

    fn figures(delivery: u64) -> Figures {
        [("delivery".to_owned(), delivery)].into()
    }

    #[test]
    fn a_tenth_more_passes_and_anything_above_fails() {
        recorded().verdict(&figures(1_100)).unwrap();
        let complaint = recorded().verdict(&figures(1_101)).unwrap_err().to_string();
        for part in ["delivery: 1000 before, 1101 now, +10.1 %", "--record", "They are of rustc, and this is rustc "] {
            assert!(complaint.contains(part), "{complaint}");
        }
    }

    #[test]
    fn what_was_never_recorded_fails() {
        let unknown = [("broadcast".to_owned(), 1)].into();
        assert!(recorded().verdict(&unknown).is_err());
    }

    #[test]
    fn what_became_much_cheaper_is_mentioned() {
        assert!(recorded().compare(&figures(899))[0].contains("cheaper"));
        assert!(!recorded().compare(&figures(901))[0].contains("cheaper"));
    }
}
