//! How many instructions the server takes for what it does most: counted by valgrind, so that the figures hardly depend on
//! what else the machine does, and recorded, so that a test sees when they grow.
//!
//! The server runs some of everything, and once more with more of one kind of work. The difference, divided by how much
//! more it was, is what one unit takes; starting and stopping cancel out. The kernel's part is not in it.

mod counted;
mod record;
mod work;

use std::{collections::BTreeMap, env::consts::ARCH};

use crate::{progress, say, server::Place};
use record::Record;
use work::Amounts;

/// Instructions for one unit of each kind of work, by its name.
type Figures = BTreeMap<String, u64>;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Fail when something takes over 10 % more than recorded
    #[arg(long, conflicts_with = "record")]
    check: bool,
    /// Record the figures, for later checks
    #[arg(long)]
    record: bool,
    /// How often everything is counted; the least counts
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
}

/// A kind of work: what it is called, how much more of it makes the difference, and how many units each of that is.
struct Kind {
    name: &'static str,
    about: &'static str,
    more: Amounts,
    each: u64,
}

impl Kind {
    /// How many units make the difference.
    const fn units(&self) -> u64 {
        self.more.total() * self.each
    }
}

const KINDS: [Kind; 4] = [
    Kind {
        name: "connection",
        about: "an idle connection: handshake, token, user, registration, leaving",
        more: Amounts { connections: 400, ..Amounts::NONE },
        each: 1,
    },
    Kind {
        name: "delivery",
        about: "a delivery of `typing` to one of the nine others in a conversation",
        more: Amounts { typing: 2_000, ..Amounts::NONE },
        each: work::LISTENERS,
    },
    Kind {
        name: "message",
        about: "a chat message: stored with its notification, synced, and delivered to both",
        more: Amounts { messages: 400, ..Amounts::NONE },
        each: 1,
    },
    Kind {
        name: "position",
        about: "a position of a driver, with a tenth of a `ping`",
        more: Amounts { batches: 400, ..Amounts::NONE },
        each: work::BATCH,
    },
];

pub(crate) async fn run(place: &Place, args: Args) -> anyhow::Result<()> {
    let dev = cfg!(debug_assertions);
    anyhow::ensure!(dev || !(args.check || args.record), "the recorded figures are those of a dev build: {HINT}");
    if args.check {
        return check(place, args.rounds).await;
    }
    let figures = least(place, args.rounds).await?;
    for Kind { name, about, .. } in &KINDS {
        say(&format!("{name:<12}{:>12}  {about}", figures[*name]))?;
    }
    if args.record { Record::of(figures)?.write() } else { Ok(()) }
}

const HINT: &str = "`cargo xtask test --only instructions` builds and checks one";

async fn check(place: &Place, rounds: u32) -> anyhow::Result<()> {
    let recorded = Record::read()?;
    if recorded.architecture != ARCH {
        say(&format!("not compared: the recorded figures are of {}, and this is {ARCH}", recorded.architecture))?;
        return Ok(());
    }
    let mut figures = least(place, rounds).await?;
    // What looks like growth must show a second time.
    if recorded.verdict(&figures).is_err() {
        take_least(&mut figures, count(place).await?);
    }
    recorded.compare(&figures).iter().try_for_each(|line| say(line))?;
    recorded.verdict(&figures)
}

async fn least(place: &Place, rounds: u32) -> anyhow::Result<Figures> {
    let mut figures = count(place).await?;
    for _ in 1..rounds {
        take_least(&mut figures, count(place).await?);
    }
    Ok(figures)
}

fn take_least(figures: &mut Figures, others: Figures) {
    for (name, other) in others {
        figures.entry(name).and_modify(|figure| *figure = other.min(*figure)).or_insert(other);
    }
}

/// Counts everything once.
async fn count(place: &Place) -> anyhow::Result<Figures> {
    let runs = KINDS.len() + 1;
    progress::show("runs", 0, runs);
    let some = counted::run(place, Amounts::SOME).await?;
    let mut figures = Figures::new();
    for (n, kind) in KINDS.iter().enumerate() {
        progress::show("runs", n + 1, runs);
        let more = counted::run(place, Amounts::SOME + kind.more).await?;
        figures.insert(kind.name.to_owned(), more.saturating_sub(some) / kind.units());
    }
    progress::show("runs", runs, runs);
    Ok(figures)
}
