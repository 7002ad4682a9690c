//! How many chat messages a second are stored and acknowledged, when everyone writes his next message as soon as the
//! last one came back.

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
    latencies::{Latencies, head},
    process, say,
    server::{Place, Server},
    site::{API_KEY, Member, Site},
    socket::{Socket, connect_all},
};

#[derive(clap::Args, Clone, Copy)]
pub(crate) struct Args {
    /// Conversations
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rooms: u32,
    /// Users in each of them, all writing
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(2..=1_000))]
    members: u32,
    /// How long they write
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    seconds: u32,
}

pub(crate) async fn run(place: &Place, args: Args) -> anyhow::Result<()> {
    let (members, rooms) = (args.members as usize, args.rooms as usize);
    process::require_open_files(members * rooms)?;
    say(&disk::describe(&place.dir)?)?;
    let site = Site::prepare(&place.dir, &[("MESSAGE_RATE", "0".to_owned())])?;
    let users = site.add_members("user", members * rooms, None).await?;
    let server = Server::start(place, &site)?;
    let mut sockets = Vec::with_capacity(users.len());
    for room in users.chunks(members) {
        let id = open_room(server.address(), room).await?;
        sockets.extend(connect_all(server.address(), &format!("/ws/chat/{id}/"), room).await?);
    }
    let before = server.process().cpu_time()?;
    let latencies = write_all(sockets, Duration::from_secs(args.seconds.into())).await?;
    let cpu = server.process().cpu_time()?.saturating_sub(before);
    report(&latencies, args, cpu)
}

fn report(latencies: &Latencies, args: Args, cpu: Duration) -> anyhow::Result<()> {
    let (count, seconds, cpu) = (latencies.count(), u64::from(args.seconds), cpu.as_secs_f64());
    let Args { rooms, members, .. } = args;
    let rate = count / seconds;
    say(&format!("{rooms} rooms of {members}: {rate} messages stored a second, {cpu:.1} s CPU in {seconds} s"))?;
    say(&head())?;
    say(&latencies.line("sent -> come back, stored"))?;
    Ok(())
}

async fn open_room(address: &str, members: &[Member]) -> anyhow::Result<i64> {
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
