//! How drivers and riders behave.

use std::time::Duration;

use holodrive::dispatch::Point;
use holodrive_protocol::Timestamp;

use super::dice::{Dice, Purpose};

/// The people of a simulation.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "People")]
pub(crate) struct People {
    /// Share of offers that drivers accept
    #[arg(long, value_name = "SHARE", default_value_t = 0.75, value_parser = share)]
    accept: f64,
    /// Share of offers that drivers decline; those that are left stay without an answer
    #[arg(long, value_name = "SHARE", default_value_t = 0.10, value_parser = share)]
    decline: f64,
    /// Of the offers without an answer, the share that does not get to the phone at once
    #[arg(long, value_name = "SHARE", default_value_t = 0.667, value_parser = share)]
    unreachable: f64,
    /// How long a phone that an offer did not get to is not heard of; an offer that is still live then is shown
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    unreachable_for: Duration,
    /// Time in which half of the drivers who answer have answered (log-normal)
    #[arg(long, value_name = "SECONDS", default_value = "6", value_parser = seconds)]
    answer_time: Duration,
    /// How much that time varies: the standard deviation of its logarithm
    #[arg(long, value_name = "NUMBER", default_value_t = 0.6)]
    answer_spread: f64,
    /// How often an hour a driver loses his network: his socket closes
    #[arg(long, value_name = "TIMES", default_value_t = 0.2)]
    outages_per_hour: f64,
    /// How long that takes on average (exponential)
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = seconds)]
    outage: Duration,
    /// How long a rider waits for somebody to accept, on average, before leaving (exponential)
    #[arg(long, value_name = "SECONDS", default_value = "480", value_parser = seconds)]
    patience: Duration,
    /// How fast cars drive
    #[arg(long, value_name = "KM/H", default_value_t = 18.0)]
    speed_kmh: f64,
    /// Kilometres on the road for each kilometre as the crow flies
    #[arg(long, value_name = "FACTOR", default_value_t = 1.4)]
    detour: f64,
    /// Time from arriving at the pickup to driving off
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    boarding: Duration,
    /// How long drivers work on average before somebody else comes to work elsewhere; 0: all the time
    #[arg(long, value_name = "HOURS", default_value_t = 0.0)]
    shift_hours: f64,
}

/// What becomes of an offer, if nothing comes between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// After so long.
    Accept(Duration),
    /// After so long.
    Decline(Duration),
    /// The phone shows it, and nobody answers.
    Silence,
    /// It does not get to the phone, which nobody hears of for a while.
    Unreachable,
}

/// One who neither overlooks anything nor hesitates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// As people are.
    Human,
    /// Everybody accepts everything at once: what no dispatcher can hope for.
    Ideal,
}

impl People {
    /// Refuses shares that are more than everybody.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let sum = self.accept + self.decline;
        anyhow::ensure!(
            sum <= 1.0 + f64::EPSILON,
            "--accept and --decline together are {sum}, which is more than all offers"
        );
        anyhow::ensure!(
            self.speed_kmh > 0.0 && self.detour >= 1.0,
            "--speed-kmh must be above 0, and --detour at least 1"
        );
        Ok(())
    }

    /// What a driver does about an order that he is offered for the first, second … time.
    pub(crate) fn answer(&self, seed: u64, driver: u64, order: u64, time: u64, mood: Mood) -> Answer {
        if mood == Mood::Ideal {
            return Answer::Accept(Duration::ZERO);
        }
        let mut dice = Dice::new(seed, Purpose::Answer, &[driver, order, time]);
        let (choice, reached) = (dice.unit(), dice.unit() >= self.unreachable);
        let after = dice.log_normal(self.answer_time, self.answer_spread);
        match choice {
            choice if choice < self.accept => Answer::Accept(after),
            choice if choice < self.accept + self.decline => Answer::Decline(after),
            _ if reached => Answer::Silence,
            _ => Answer::Unreachable,
        }
    }

    /// How long a rider waits for a driver.
    pub(crate) fn patience(&self, seed: u64, order: u64) -> Duration {
        Dice::new(seed, Purpose::Patience, &[order]).exponential(self.patience)
    }

    /// How long a phone is not heard of that an offer did not get to.
    pub(crate) const fn unreachable_for(&self) -> Duration {
        self.unreachable_for
    }

    /// Time on the road.
    pub(crate) fn drive(&self, from: Point, to: Point) -> Duration {
        Duration::from_secs_f64(from.distance_km(to) * self.detour / self.speed_kmh * 3_600.0)
    }

    /// Time from arriving at the pickup to arriving at the destination.
    pub(crate) fn ride(&self, from: Point, to: Point) -> Duration {
        self.boarding + self.drive(from, to)
    }

    /// When a driver is without network, from when to when, in the order of time.
    pub(crate) fn outages(
        &self,
        seed: u64,
        driver: u64,
        from: Timestamp,
        until: Timestamp,
    ) -> Vec<(Timestamp, Timestamp)> {
        if self.outages_per_hour <= 0.0 {
            return Vec::new();
        }
        let between = Duration::from_secs_f64(3_600.0 / self.outages_per_hour);
        let (mut dice, mut outages) = (Dice::new(seed, Purpose::Outages, &[driver]), Vec::new());
        let mut begins = from.after(dice.exponential(between));
        while begins < until {
            let ends = begins.after(dice.exponential(self.outage));
            outages.push((begins, ends));
            begins = ends.after(dice.exponential(between));
        }
        outages
    }

    /// Whether drivers go home.
    pub(crate) fn has_shifts(&self) -> bool {
        self.shift_hours > 0.0
    }

    /// How long a driver works; `None`: to the end.
    pub(crate) fn shift(&self, seed: u64, driver: u64) -> Option<Duration> {
        let mean = Duration::from_secs_f64(self.shift_hours * 3_600.0);
        self.has_shifts().then(|| Dice::new(seed, Purpose::Shift, &[driver]).exponential(mean))
    }
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "must be a number from 0 to 1".to_owned())
}

/// Reads seconds, with or without a fraction.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.0..1e7).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "must be a number of seconds".to_owned())
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use clap::Parser;

    use super::*;
    use crate::simulate::moment::{HOUR, at};

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        people: People,
    }

    /// People as they are by default, but for these flags.
    pub(crate) fn people(flags: &[&str]) -> People {
        Cli::try_parse_from(["people"].iter().chain(flags)).unwrap().people
    }

    #[test]
    fn shares_are_as_told_and_nobody_changes_his_mind() {
        let people = people(&[]);
        let answers: Vec<_> = (0..10_000).map(|driver| people.answer(1, driver, 5, 1, Mood::Human)).collect();
        let again: Vec<_> = (0..10_000).map(|driver| people.answer(1, driver, 5, 1, Mood::Human)).collect();
        assert_eq!(answers, again);
        let count = |is: fn(&Answer) -> bool| answers.iter().filter(|answer| is(answer)).count();
        assert!((7_300..7_700).contains(&count(|answer| matches!(answer, Answer::Accept(_)))));
        assert!((900..1_100).contains(&count(|answer| matches!(answer, Answer::Decline(_)))));
        assert!((900..1_100).contains(&count(|answer| matches!(answer, Answer::Unreachable))));
    }

    #[test]
    fn an_hour_has_as_many_outages_as_told_and_they_do_not_overlap() {
        let people = people(&["--outages-per-hour", "2", "--outage", "60"]);
        let of = |driver| people.outages(1, driver, at(0), at(100 * HOUR));
        let outages = of(3);
        assert!((150..250).contains(&outages.len()), "{}", outages.len());
        assert!(outages.windows(2).all(|pair| pair[0].1 <= pair[1].0));
        let out: Duration = outages.iter().map(|(from, to)| to.since(*from)).sum();
        assert!((100..320).contains(&(out.as_secs() / 60)), "{out:?}");
        assert_ne!(of(3), of(4));
    }

    #[test]
    fn impossible_people_are_refused() {
        assert!(people(&["--accept", "0.9", "--decline", "0.2"]).check().is_err());
        assert!(people(&["--speed-kmh", "0"]).check().is_err());
        assert!(people(&[]).check().is_ok());
        for flags in [["--accept", "1.1"], ["--patience", "-1"], ["--outage", "long"]] {
            assert!(Cli::try_parse_from(["people"].iter().chain(&flags)).is_err());
        }
    }
}
