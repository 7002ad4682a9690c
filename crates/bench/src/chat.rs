//! How many chat messages a second are stored and acknowledged, when everyone writes his next message as soon as the
//! last one came back: with writes that share a commit, and with a commit for each of them.

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use holodrive_protocol::{
    chat::{ChatClientMessage, ChatServerMessage, Conversation},
    http::CreateConversation,
};
use tokio::{
    sync::Barrier,
    task::JoinSet,
    time::{Instant, timeout_at},
};

use crate::{
    disk,
    latencies::Latencies,
    process, progress, say,
    server::{Place, Server},
    site::{API_KEY, Member, Site},
    socket::Socket,
};

/// Each sender writes in a conversation of his own, to somebody who is away.
const MEMBERS: usize = 2;

#[derive(clap::Args, Clone)]
pub(crate) struct Args {
    /// Senders at once, each in a conversation of his own
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8, 64, 512],
        value_parser = clap::value_parser!(u32).range(1..=100_000))]
    senders: Vec<u32>,
    /// How long they write in each round
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    seconds: u32,
    /// How often everything is measured; the rounds take turns, so that a slow minute of the disk hits all alike
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rounds: u32,
}

/// Writes that share one commit at the most.
#[derive(Clone, Copy)]
enum Commits {
    /// As the server does by default.
    Grouped,
    /// One write each.
    Single,
}

impl Commits {
    const fn name(self) -> &'static str {
        match self {
            Self::Grouped => "with",
            Self::Single => "without",
        }
    }

    fn settings(self) -> Vec<(&'static str, String)> {
        let unlimited = ("MESSAGE_RATE", "0".to_owned());
        match self {
            Self::Grouped => vec![unlimited],
            Self::Single => vec![unlimited, ("WRITE_BATCH", "1".to_owned())],
        }
    }
}

/// What is measured, and what all rounds of it came to.
struct Series {
    senders: u32,
    commits: Commits,
    latencies: Latencies,
    cpu: Duration,
}

impl Series {
    fn new(senders: u32, commits: Commits) -> anyhow::Result<Self> {
        Ok(Self { senders, commits, latencies: Latencies::new()?, cpu: Duration::ZERO })
    }

    /// Measures once more, on a fresh database.
    async fn round(&mut self, place: &Place, time: Duration) -> anyhow::Result<()> {
        let site = Site::prepare(place, &self.commits.settings())?;
        let users = site.add_members("user", self.senders as usize * MEMBERS, None).await?;
        let server = Server::start(place, &site)?;
        let mut sockets = Vec::with_capacity(self.senders as usize);
        for room in users.chunks(MEMBERS) {
            let id = open_room(server.address(), room).await?;
            sockets.push(Socket::connect(server.address(), &format!("/ws/chat/{id}/"), &room[0].token).await?);
        }
        let before = server.process().cpu_time()?;
        self.latencies.merge(&write_all(sockets, time).await?)?;
        self.cpu += server.process().cpu_time()?.saturating_sub(before);
        Ok(())
    }

    /// A row of the table; `time` is that of all rounds.
    fn row(&self, time: Duration) -> String {
        let Self { senders, commits, latencies, cpu } = self;
        let [median, p99, max] =
            [50.0, 99.0, 100.0].map(|percent| latencies.percentile(percent).as_secs_f64() * 1_000.0);
        let (rate, cores) = (latencies.count() / time.as_secs(), cpu.as_secs_f64() / time.as_secs_f64());
        format!("| {senders} | {} | {rate} | {median:.1} | {p99:.1} | {max:.1} | {cores:.2} |", commits.name())
    }
}

pub(crate) async fn run(place: &Place, args: Args) -> anyhow::Result<()> {
    let Args { senders, seconds, rounds } = args;
    process::require_open_files(senders.iter().copied().max().unwrap_or(1) as usize)?;
    say(&disk::describe(&place.dir)?)?;
    let mut all = Vec::new();
    for senders in senders {
        for commits in [Commits::Single, Commits::Grouped] {
            all.push(Series::new(senders, commits)?);
        }
    }
    let (steps, mut done) = (rounds as usize * all.len(), 0);
    for _ in 0..rounds {
        for series in &mut all {
            series.round(place, Duration::from_secs(seconds.into())).await?;
            done += 1;
            progress::show("measured", done, steps);
        }
    }
    report(&all, Duration::from_secs(u64::from(seconds) * u64::from(rounds)))
}

fn report(all: &[Series], time: Duration) -> anyhow::Result<()> {
    say(&format!("messages sent -> come back, stored; {} s for each line\n", time.as_secs()))?;
    say("| senders | group commit | messages a second | median ms | p99 ms | max ms | server's CPU cores |")?;
    say("|---:|---|---:|---:|---:|---:|---:|")?;
    Ok(all.iter().try_for_each(|series| say(&series.row(time)))?)
}

/// Makes a conversation of these users.
pub(crate) async fn open_room(address: &str, members: &[Member]) -> anyhow::Result<i64> {
    let participant_ids = Some(members.iter().map(|member| member.id).collect());
    let request = reqwest::Client::new()
        .post(format!("http://{address}/api/conversations/"))
        .header("authorization", format!("Api-Key {API_KEY}"))
        .json(&CreateConversation { kind: None, participant_ids });
    let answer = request.send().await?.error_for_status().context("a conversation was refused")?;
    Ok(answer.json::<Conversation>().await?.id)
}

/// Lets everyone write until the time is over.
async fn write_all(sockets: Vec<Socket>, time: Duration) -> anyhow::Result<Latencies> {
    let start = Arc::new(Barrier::new(sockets.len()));
    let mut writing = JoinSet::new();
    for (n, socket) in sockets.into_iter().enumerate() {
        writing.spawn(write(socket, n, Arc::clone(&start), time));
    }
    let mut all = Latencies::new()?;
    while let Some(latencies) = writing.join_next().await {
        all.merge(&latencies??)?;
    }
    Ok(all)
}

async fn write(mut socket: Socket, n: usize, start: Arc<Barrier>, time: Duration) -> anyhow::Result<Latencies> {
    let mut latencies = Latencies::new()?;
    start.wait().await;
    let end = Instant::now() + time;
    for count in 0_u64.. {
        let (client_id, sent) = (format!("{n}-{count}"), Instant::now());
        let message = "I am at the corner, next to the pharmacy".to_owned();
        socket.send(&ChatClientMessage::ChatMessage { message, client_id: Some(client_id.clone()) }).await?;
        // What comes back after the end is not counted.
        match timeout_at(end, come_back(&mut socket, &client_id)).await {
            Ok(came) => came?,
            Err(_) => break,
        }
        latencies.record(sent.elapsed())?;
    }
    Ok(latencies)
}

async fn come_back(socket: &mut Socket, client_id: &str) -> anyhow::Result<()> {
    loop {
        let arrival = socket.next().await?;
        anyhow::ensure!(!arrival.is("error"), "a message was refused: {}", arrival.text);
        if let Some(ChatServerMessage::ChatMessage(message)) = arrival.parse()
            && message.client_id.as_deref() == Some(client_id)
        {
            return Ok(());
        }
    }
}
