//! Scenarios in which messages go over open connections.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::sleep,
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

const PATIENCE: Duration = Duration::from_secs(120);

/// Fan-out to the members of conversations.
pub(crate) fn talk(
    target: &Target,
    (kind, pace): (Kind, Pace),
    (conversations, members): (usize, usize),
    time: Time,
) -> anyhow::Result<Figures> {
    let units = Arc::new(AtomicU64::new(0));
    let work = Chat::new((kind, pace), (0, conversations, members), Arc::clone(&units))?;
    let doors = (0..conversations * members).map(|user| target.chat(user / members, user)).collect();
    let (mut figures, done) = measure(target, vec![(doors, work)], &units, time, |_| ())?;
    for Done { work: Chat { ledger, errors, error, .. }, .. } in &done {
        figures.latencies(&ledger.latencies);
        if let Some([rate, cpu_rate]) = figures.get("per_s").zip(figures.get("per_cpu_s")).map(<[f64; 2]>::from) {
            let deliveries = per_message(kind, members);
            figures.set("messages_per_s", rate / deliveries);
            figures.set("messages_per_cpu_s", cpu_rate / deliveries);
        }
        figures.count("missing", ledger.missing());
        figures.count("unexpected", ledger.unexpected);
        figures.count("errors", *errors);
        if let Some(error) = error {
            eprintln!("an error came: {error}");
        }
    }
    Ok(figures)
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
    let units = Arc::new(AtomicU64::new(0));
    let shares = vec![(doors, Pings::new(positions, Arc::clone(&units))?)];
    let (mut figures, done) = measure(target, shares, &units, time, |_| ())?;
    for done in &done {
        figures.latencies(&done.work.latencies);
    }
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
