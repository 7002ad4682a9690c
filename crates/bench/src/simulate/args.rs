//! What can be said on the command line.

use std::{
    ops::{Range, RangeInclusive},
    path::PathBuf,
    time::Duration,
};

use super::{
    own::Own,
    people::{People, seconds},
    rules::{self, Rule},
};

/// Whom to simulate, under which rules, and what to tell of it.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = rules::help())]
pub(crate) struct Args {
    /// Rules to compare, with commas between their names; or a JSON file: `{"name": {"ORDER_OFFER_TIMEOUT": "20"}}`
    #[arg(long, value_name = "NAMES|FILE.json")]
    rules: Option<String>,
    /// How many drivers: `loose`, `tight`, `overload` (700, 460, 340), or numbers, with commas between them
    /// [default: loose,tight,overload; with --live: tight]
    #[arg(long, value_name = "SUPPLIES", value_delimiter = ',')]
    drivers: Vec<Supply>,
    /// Simulate so many days that differ by chance, the same for every rule [default: 5; with --live: 1]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=1_000))]
    seeds: Option<u64>,
    /// Simulate the day of this seed alone, as to look closely at what was told of it
    #[arg(long, value_name = "NUMBER", conflicts_with = "seeds", value_parser = clap::value_parser!(u64).range(1..))]
    seed: Option<u64>,
    /// Hours of the day; the extract within this program has 16-20, everything else needs --download first
    #[arg(long, value_name = "FROM-TO", default_value = "16-20", value_parser = hours)]
    pub(crate) hours: Range<u8>,
    /// Requests an hour, on average over these hours
    #[arg(long, value_name = "COUNT", default_value_t = 1_500.0)]
    pub(crate) requests_per_hour: f64,
    /// Leave out the first orders, while the city fills
    #[arg(long, value_name = "SECONDS", default_value = "1800", value_parser = seconds)]
    pub(crate) warm_up: Duration,
    /// Write report.html and report.md with charts into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) report: Option<PathBuf>,
    /// Exit with status 1 unless `nearest` serves at least 10 points more than `oldest-300` where drivers are tight, is not
    /// worse where they are loose, and nothing that must never be was seen
    #[arg(long)]
    pub(crate) check: bool,
    /// Run the real server over its real sockets instead of the dispatch core alone, one rule after the other
    /// [default rule: nearest]
    #[arg(long)]
    pub(crate) live: bool,
    /// With --live: how many times faster than reality. All timeouts are as many times shorter
    #[arg(long, value_name = "FACTOR", default_value_t = 60.0)]
    pub(crate) speed: f64,
    #[command(flatten)]
    pub(crate) people: People,
    #[command(flatten)]
    pub(crate) data: Data,
    #[command(flatten)]
    own: Own,
}

/// Where demand comes from.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Demand")]
pub(crate) struct Data {
    /// Replay these trips instead: CSV with the columns `requested_at` (RFC 3339, or seconds), `pickup_latitude`,
    /// `pickup_longitude`, `destination_latitude`, `destination_longitude`. Seeds then differ in the people alone
    #[arg(long, value_name = "FILE.csv")]
    pub(crate) demand: Option<PathBuf>,
    /// Where the whole data set is, or is put by --download
    #[arg(long, value_name = "DIR", default_value = "data/demand")]
    pub(crate) data: PathBuf,
    /// Fetch the whole data set (12 MB, `pyhailing` of the Python Package Index), and end
    #[arg(long)]
    pub(crate) download: bool,
    /// Make the extract for --hours from the whole data set, as it is within this program, and end
    #[arg(long, value_name = "DIR")]
    pub(crate) extract: Option<PathBuf>,
    /// Write the trips of the first seed as such a CSV file, and end
    #[arg(long, value_name = "FILE.csv")]
    pub(crate) write_demand: Option<PathBuf>,
}

/// How many drivers, under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Supply {
    pub(crate) name: String,
    pub(crate) drivers: u64,
}

impl Supply {
    /// Name and number.
    pub(crate) fn title(&self) -> String {
        let count = format!("{} drivers", self.drivers);
        if self.name == count { count } else { format!("{} ({count})", self.name) }
    }
}

/// Where every order finds a driver.
pub(crate) const LOOSE: &str = "loose";
/// Where drivers are just too few.
pub(crate) const TIGHT: &str = "tight";
/// Where they are far too few.
const OVERLOAD: &str = "overload";

impl Args {
    /// The rules to compare, the operator's own last.
    pub(crate) fn rules(&self) -> anyhow::Result<Vec<Rule>> {
        let own = self.own.settings();
        let mut rules = match &self.rules {
            Some(text) => rules::parse(text)?,
            None if own.is_empty() && !self.live => rules::all(),
            None => rules::parse(rules::OURS)?,
        };
        if !own.is_empty() {
            rules.push(Rule::new("yours", own));
        }
        Ok(rules)
    }

    /// How many drivers there are, one case after the other.
    pub(crate) fn supplies(&self) -> Vec<Supply> {
        let names: &[&str] = if self.live { &[TIGHT] } else { &[LOOSE, TIGHT, OVERLOAD] };
        let usual = || names.iter().filter_map(|name| name.parse().ok()).collect();
        if self.drivers.is_empty() { usual() } else { self.drivers.clone() }
    }

    /// Which days.
    pub(crate) fn seeds(&self) -> RangeInclusive<u64> {
        let count = self.seeds.unwrap_or(if self.live { 1 } else { 5 });
        self.seed.map_or(1..=count, |seed| seed..=seed)
    }

    /// Refuses what cannot be.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        self.people.check()?;
        anyhow::ensure!((1.0..=1_000.0).contains(&self.speed), "--speed must be from 1 to 1000");
        anyhow::ensure!(
            !(self.live && self.people.has_shifts()),
            "with --live drivers work all the time: leave out --shift-hours"
        );
        anyhow::ensure!(
            (0.0..=1e6).contains(&self.requests_per_hour),
            "--requests-per-hour must be from 0 to a million"
        );
        let span = f64::from(self.hours.end - self.hours.start) * 3_600.0;
        let is_short = self.data.demand.is_some() || self.warm_up.as_secs_f64() < span;
        anyhow::ensure!(is_short, "--warm-up is as long as --hours: no order would count");
        Ok(())
    }
}

impl std::str::FromStr for Supply {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let drivers = match text {
            LOOSE => 700,
            TIGHT => 460,
            OVERLOAD => 340,
            text => text
                .parse()
                .ok()
                .filter(|drivers| (1..=100_000).contains(drivers))
                .ok_or_else(|| format!("{text} is neither loose, tight or overload nor a number of drivers"))?,
        };
        let name = if text.parse::<u64>().is_ok() { format!("{drivers} drivers") } else { text.to_owned() };
        Ok(Self { name, drivers })
    }
}

fn hours(text: &str) -> Result<Range<u8>, String> {
    let (from, to) = text.split_once('-').unwrap_or_default();
    let hours = from.trim().parse().ok().zip(to.trim().parse().ok()).map(|(from, to)| from..to);
    let hours = hours.filter(|hours| hours.start < hours.end && hours.end <= 24);
    hours.ok_or_else(|| "must be two hours of a day, such as 16-20 or 0-24".to_owned())
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use clap::{CommandFactory, Parser};

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    pub(crate) fn args(flags: &[&str]) -> Args {
        Cli::try_parse_from(["simulate"].iter().chain(flags)).unwrap().args
    }

    fn names(flags: &[&str]) -> Vec<String> {
        args(flags).rules().unwrap().into_iter().map(|rule| rule.name).collect()
    }

    #[test]
    fn the_flags_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn settings_on_the_command_line_make_a_rule_beside_ours_or_beside_those_named() {
        assert_eq!(names(&["--offer-timeout", "20"]), ["nearest", "yours"]);
        assert_eq!(names(&["--rules", "oldest-300", "--set", "ORDER_REOFFER_AFTER=60"]), ["oldest-300", "yours"]);
        assert_eq!(names(&[]).len(), rules::all().len());
        let own = args(&["--radius", "4", "--set", "ORDER_REOFFER_AFTER=60"]).rules().unwrap().pop().unwrap();
        assert_eq!(own.describe(), "DISPATCH_RADIUS_KM=4 ORDER_REOFFER_AFTER=60");
    }

    #[test]
    fn supplies_have_names_or_numbers() {
        let supplies = args(&["--drivers", "tight,25"]).supplies();
        assert_eq!(supplies.iter().map(|supply| supply.drivers).collect::<Vec<_>>(), [460, 25]);
        assert_eq!(supplies[1].name, "25 drivers");
        assert!(Cli::try_parse_from(["simulate", "--drivers", "many"]).is_err());
        assert!(Cli::try_parse_from(["simulate", "--hours", "20-16"]).is_err());
    }

    #[test]
    fn days_are_counted_from_one_or_named() {
        assert_eq!(args(&[]).seeds(), 1..=5);
        assert_eq!(args(&["--live"]).seeds(), 1..=1);
        assert_eq!(args(&["--seeds", "3"]).seeds(), 1..=3);
        assert_eq!(args(&["--seed", "3"]).seeds(), 3..=3);
        assert!(Cli::try_parse_from(["simulate", "--seed", "3", "--seeds", "3"]).is_err());
    }

    #[test]
    fn a_warm_up_that_leaves_nothing_is_refused() {
        assert!(args(&["--warm-up", "14400"]).check().is_err());
        assert!(args(&["--warm-up", "14399"]).check().is_ok());
    }
}
