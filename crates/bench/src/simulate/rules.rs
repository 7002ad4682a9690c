//! The rules that are compared: settings of the server, under a name.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Context;
use holodrive::config::{Config, Sources};

use super::people::Mood;
use crate::site::{SECRET, Settings};

/// Settings of the server that differ from the defaults, and what drivers make of the offers.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) settings: Settings,
    pub(crate) mood: Mood,
}

/// A rule that can be named on the command line.
struct Named {
    name: &'static str,
    about: &'static str,
    settings: &'static [(&'static str, &'static str)],
    mood: Mood,
}

/// What makes a free driver take the order that waited longest, wherever it is.
const OLDEST_FIRST: (&str, &str) = ("DISPATCH_AGE_WEIGHT", "20000");

const NAMED: &[Named] = &[
    Named {
        name: "oldest-300",
        about: "the textbook queue: 300 s to answer, the oldest order first, 5 km, and nobody asks whether the offer arrived",
        settings: &[
            OLDEST_FIRST,
            ("ORDER_OFFER_TIMEOUT", "300"),
            ("ORDER_OFFER_UNREACHABLE_TIMEOUT", "0"),
            ("DISPATCH_RADIUS_KM", "5"),
            ("DISPATCH_START_RADIUS_KM", "5"),
        ],
        mood: Mood::Human,
    },
    Named {
        name: "oldest-300+reach",
        about: "the same, but an offer that did not arrive moves on after 20 s",
        settings: &[
            OLDEST_FIRST,
            ("ORDER_OFFER_TIMEOUT", "300"),
            ("DISPATCH_RADIUS_KM", "5"),
            ("DISPATCH_START_RADIUS_KM", "5"),
        ],
        mood: Mood::Human,
    },
    Named {
        name: OURS,
        about: "HoloDrive as it comes: every setting has its default",
        settings: &[],
        mood: Mood::Human,
    },
    Named {
        name: "nearest-20",
        about: "the same with 20 s to answer",
        settings: &[("ORDER_OFFER_TIMEOUT", "20")],
        mood: Mood::Human,
    },
    Named {
        name: "broadcast-3",
        about: "an order is offered to three drivers at once, who have 20 s to answer",
        settings: &[
            ("ORDER_OFFER_TIMEOUT", "20"),
            ("DISPATCH_STRATEGY", "broadcast"),
            ("DISPATCH_BROADCAST_OFFERS", "3"),
        ],
        mood: Mood::Human,
    },
    Named {
        name: "batch-2s",
        about: "what came up within 2 s is matched together, with 20 s to answer",
        settings: &[("ORDER_OFFER_TIMEOUT", "20"), ("DISPATCH_STRATEGY", "batch"), ("DISPATCH_BATCH_INTERVAL", "2")],
        mood: Mood::Human,
    },
    Named {
        name: "ideal",
        about: "a bound, not a rule: as nearest, but every driver accepts every offer at once",
        settings: &[],
        mood: Mood::Ideal,
    },
];

/// The server's defaults.
pub(crate) const OURS: &str = "nearest";
/// What ours is measured against.
pub(crate) const BASELINE: &str = "oldest-300";

impl Rule {
    /// The rule that differs from the defaults by these settings.
    pub(crate) fn new(name: &str, settings: Settings) -> Self {
        Self { name: name.to_owned(), settings, mood: Mood::Human }
    }

    /// The whole configuration of a server that follows this rule.
    ///
    /// # Errors
    /// When a setting is unknown or its value malformed.
    pub(crate) fn config(&self) -> anyhow::Result<Config> {
        let known = |name: &String| holodrive::config::SETTINGS.iter().any(|setting| setting.variable() == *name);
        let unknown = self.settings.keys().find(|name| !known(name));
        if let Some(name) = unknown {
            anyhow::bail!("rule {}: the server has no setting {name}", self.name);
        }
        let mut flags = self.settings.clone();
        flags.insert("SECRET_KEY".to_owned(), SECRET.to_owned());
        Config::load(&Sources { flags, ..Sources::default() }).with_context(|| format!("rule {}", self.name))
    }

    /// Its settings as they stand in an `.env` file.
    pub(crate) fn describe(&self) -> String {
        let settings: Vec<_> = self.settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
        settings.join(" ")
    }

    /// What it is, where its name is known here.
    pub(crate) fn about(&self) -> Option<&'static str> {
        NAMED.iter().find(|named| named.name == self.name).map(|named| named.about)
    }
}

impl Named {
    fn rule(&self) -> Rule {
        let settings = self.settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Rule { mood: self.mood, ..Rule::new(self.name, settings) }
    }
}

/// All rules that have a name here.
pub(crate) fn all() -> Vec<Rule> {
    NAMED.iter().map(Named::rule).collect()
}

/// Reads `--rules`: names with commas between them, or a JSON file that gives each name its settings.
pub(crate) fn parse(text: &str) -> anyhow::Result<Vec<Rule>> {
    if Path::new(text).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
        return read(Path::new(text));
    }
    let named = |name: &str| {
        let found = NAMED.iter().find(|named| named.name == name).map(Named::rule);
        found.with_context(|| format!("there is no rule {name}; there are {}", names().join(", ")))
    };
    text.split(',').map(|name| named(name.trim())).collect()
}

fn read(file: &Path) -> anyhow::Result<Vec<Rule>> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let rules: BTreeMap<String, Settings> = serde_json::from_str(&text)
        .with_context(|| format!("{}: expected {{\"name\": {{\"SETTING\": \"value\"}}}}", file.display()))?;
    anyhow::ensure!(!rules.is_empty(), "{} has no rules", file.display());
    Ok(rules.into_iter().map(|(name, settings)| Rule::new(&name, settings)).collect())
}

fn names() -> Vec<&'static str> {
    NAMED.iter().map(|named| named.name).collect()
}

/// The part of `--help` that tells which rules there are.
pub(crate) fn help() -> String {
    let lines: Vec<_> = NAMED.iter().map(|named| format!("  {:<18} {}", named.name, named.about)).collect();
    format!("Rules:\n{}", lines.join("\n"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn every_named_rule_is_a_configuration_that_the_server_takes() {
        for rule in all() {
            let config = rule.config().unwrap();
            assert_eq!(rule.name == BASELINE, config.order_offer_unreachable_timeout.is_none(), "{}", rule.name);
        }
        assert_eq!(all().iter().filter(|rule| rule.settings.is_empty() && rule.mood == Mood::Human).count(), 1);
    }

    #[test]
    fn rules_are_named_or_read() {
        let names: Vec<_> = parse("nearest, oldest-300").unwrap().into_iter().map(|rule| rule.name).collect();
        assert_eq!(names, ["nearest", "oldest-300"]);
        assert!(
            parse("farthest").unwrap_err().to_string().starts_with("there is no rule farthest; there are oldest-300,")
        );
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rules.json");
        fs::write(&file, r#"{"short": {"ORDER_OFFER_TIMEOUT": "15"}}"#).unwrap();
        let rules = parse(file.to_str().unwrap()).unwrap();
        assert_eq!(rules[0].config().unwrap().order_offer_timeout.as_secs(), 15);
        assert_eq!(rules[0].describe(), "ORDER_OFFER_TIMEOUT=15");
        fs::write(&file, "[]").unwrap();
        assert!(parse(file.to_str().unwrap()).is_err());
    }

    #[test]
    fn a_setting_that_is_unknown_or_malformed_is_told() {
        let error = |name: &str, value: &str| {
            let settings = [(name.to_owned(), value.to_owned())].into();
            format!("{:#}", Rule::new("mine", settings).config().unwrap_err())
        };
        assert_eq!(error("OFFER", "1"), "rule mine: the server has no setting OFFER");
        assert!(error("ORDER_OFFER_TIMEOUT", "soon").starts_with("rule mine: ORDER_OFFER_TIMEOUT"));
    }
}
