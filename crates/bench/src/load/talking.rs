//! Scenarios in which messages go over open connections.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{available_parallelism, sleep},
    time::{Duration, Instant},
};

use tokio::{runtime::Handle, task::JoinSet};

use super::{
    chat::{Chat, Kind, Pace},
    crew::{Crew, Done, Schedule, Work},
    figures::Figures,
    inbox::{self, Inbox},
    lines::Door,
    observed::own_cpu_time,
    opening::WIDTH,
    ping::Pings,
    scenario::{Target, Time},
};
use crate::latencies::Latencies;

const PATIENCE: Duration = Duration::from_secs(120);

/// Fan-out to the members of conversations.
pub(crate) fn talk(
    target: &Target,
    (kind, pace): (Kind, Pace),
    (conversations, members): (usize, usize),
    time: Time,
) -> anyhow::Result<Figures> {
    let (units, mut shares) = (Arc::new(AtomicU64::new(0)), Vec::new());
    for part in parts(conversations)? {
        let pace = pace.share(part.len(), conversations);
        let work = Chat::new((kind, pace), (part.start, part.len(), members), Arc::clone(&units))?;
        let users = part.start * members..part.end * members;
        shares.push((users.map(|user| target.chat(user / members, user)).collect(), work));
    }
    let (mut figures, done) = measure(target, shares, &units, time, |_| ())?;
    if let Some((rate, cpu_rate)) = figures.get("per_s").zip(figures.get("per_cpu_s")) {
        let deliveries = per_message(kind, members);
        figures.set("messages_per_s", rate / deliveries);
        figures.set("messages_per_cpu_s", cpu_rate / deliveries);
    }
    add_up(&mut figures, done.iter().map(|done| &done.work))?;
    Ok(figures)
}

fn add_up<'a>(figures: &mut Figures, mut chats: impl Iterator<Item = &'a Chat> + Clone) -> anyhow::Result<()> {
    figures.latencies(&Latencies::merged(chats.clone().map(|chat| &chat.ledger.latencies))?);
    figures.count("missing", chats.clone().map(|chat| chat.ledger.missing()).sum());
    figures.count("unexpected", chats.clone().map(|chat| chat.ledger.unexpected).sum());
    figures.count("errors", chats.clone().map(|chat| chat.errors).sum());
    if let Some(error) = chats.find_map(|chat| chat.error.as_ref()) {
        eprintln!("an error came: {error}");
    }
    Ok(())
}

/// A part for each thread: half of the cores are the server's.
fn parts(whole: usize) -> anyhow::Result<impl Iterator<Item = Range<usize>>> {
    let size = whole.div_ceil((available_parallelism()?.get() / 2).max(1)).max(1);
    Ok((0..whole).step_by(size).map(move |start| start..(start + size).min(whole)))
}

#[expect(clippy::cast_precision_loss, reason = "no conversation has 2^52 members")]
fn per_message(kind: Kind, members: usize) -> f64 {
    (if kind == Kind::Message { members } else { members - 1 }) as f64
}

/// One `ping` under way on each connection.
pub(crate) fn ping(target: &Target, connections: usize, time: Time) -> anyhow::Result<Figures> {
    asking(target, (0..connections).map(|user| target.notifications(user)).collect(), 0, time)
}

/// Positions of drivers, and a `ping` behind every few of them.
pub(crate) fn positions(target: &Target, connections: usize, time: Time) -> anyhow::Result<Figures> {
    const FOR_EACH_PING: usize = 10;
    asking(target, (0..connections).map(|user| target.driver(user)).collect(), FOR_EACH_PING, time)
}

fn asking(target: &Target, doors: Vec<Door>, positions: usize, time: Time) -> anyhow::Result<Figures> {
    let (units, mut shares) = (Arc::new(AtomicU64::new(0)), Vec::new());
    for part in parts(doors.len())? {
        shares.push((doors[part].to_vec(), Pings::new(positions, Arc::clone(&units))?));
    }
    let (mut figures, done) = measure(target, shares, &units, time, |_| ())?;
    figures.latencies(&Latencies::merged(done.iter().map(|done| &done.work.latencies))?);
    Ok(figures)
}

/// Notifications that so many back ends post at the same time.
pub(crate) fn notifications(target: &Target, users: usize, posting: usize, time: Time) -> anyhow::Result<Figures> {
    let (units, next) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (address, mut posts) = (target.addresses[0], JoinSet::new());
    let shares = vec![((0..users).map(|user| target.notifications(user)).collect(), Inbox::new(Arc::clone(&units))?)];
    let start = |schedule| {
        for _ in 0..posting {
            posts.spawn_on(inbox::post(address, users, Arc::clone(&next), schedule), &Handle::current());
        }
    };
    let (mut figures, done) = measure(target, shares, &units, time, start)?;
    let accepted = Handle::current().block_on(posts.join_all()).into_iter().sum::<anyhow::Result<u64>>()?;
    for Done { work, .. } in &done {
        figures.latencies(&work.latencies);
        figures.count("missing", accepted.saturating_sub(work.arrived()));
        figures.count("unexpected", work.unexpected);
    }
    Ok(figures)
}

/// Opens everything, lets it work (`begun` tells when), and reads the counters at the beginning and the end of the measured time.
fn measure<W: Work>(
    target: &Target,
    shares: Vec<(Vec<Door>, W)>,
    units: &AtomicU64,
    time: Time,
    begun: impl FnOnce(Schedule),
) -> anyhow::Result<(Figures, Vec<Done<W>>)> {
    let connections = shares.iter().map(|(doors, _)| doors.len()).sum();
    let crew = Crew::start(shares, WIDTH);
    crew.wait_open(connections, PATIENCE)?;
    let schedule = Schedule::after(time.warm_up, time.measured);
    crew.go(schedule);
    begun(schedule);
    let [first, last] = [schedule.from, schedule.to].map(|moment| sample(target, units, moment));
    let (first, last) = (first?, last?);
    let count = Arc::clone(&crew.count);
    let done = crew.join()?;

    let (mut figures, length) = (Figures::default(), last.at - first.at);
    figures.rates(last.units - first.units, length, last.server.saturating_sub(first.server));
    figures.set("client_cores", last.client.saturating_sub(first.client).as_secs_f64() / length.as_secs_f64());
    figures.count("refused", count.refused.load(Ordering::Relaxed) as u64);
    figures.count("lost", count.lost.load(Ordering::Relaxed) as u64);
    Ok((figures, done))
}

struct Sample {
    at: Instant,
    units: u64,
    server: Duration,
    client: Duration,
}

fn sample(target: &Target, units: &AtomicU64, moment: Instant) -> anyhow::Result<Sample> {
    sleep(moment.saturating_duration_since(Instant::now()));
    let (server, client) = (target.observed.cpu_time()?, own_cpu_time()?);
    Ok(Sample { at: Instant::now(), units: units.load(Ordering::Relaxed), server, client })
}
