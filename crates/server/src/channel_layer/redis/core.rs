//! The layer `channels_redis.core`: each group is a set of channels, and each process has queues of messages for its own.

use std::{sync::Arc, time::Duration};

use ::redis::{Cmd, Pipeline, aio::MultiplexedConnection, cmd, pipe};
use tokio::task::JoinHandle;

use super::{Failure, Host, ping};
use crate::channel_layer::{
    groups::Group,
    inward::Inward,
    names::{Names, host_of, tag},
};

/// What begins the names of channels that belong to one process of our kind: the word for that of `channels_redis`, and
/// `holodrive` in hexadecimal digits, by which other nodes know us.
const PROCESS_PREFIX: &str = "specific.686f6c6f6472697665";
/// How many bits of a process's name are random.
const RANDOM_BITS: u32 = 56;
/// How long one look at empty queues waits: as long as `channels_redis` does.
const WAIT: Duration = Duration::from_secs(5);
/// Messages taken off a queue at once: more than most may hold.
const BATCH: usize = 1_000;

/// One of the queues of this process: to Django it is a process of its own.
#[derive(Clone, Debug)]
pub(in super::super) struct Queue {
    /// `specific.` and 32 hexadecimal digits and `!`: what the names of its channels begin with.
    pub(in super::super) process: String,
    key: String,
}

/// So many queues that the server at `place` of `hosts` has, with names that nobody else has.
pub(in super::super) fn queues(names: &Names, count: usize, place: usize, hosts: usize) -> Vec<Queue> {
    let process = || format!("{PROCESS_PREFIX}{:014x}!", rand::random::<u64>() >> (64 - RANDOM_BITS));
    let here = std::iter::repeat_with(process).filter(|process| host_of(process, hosts) == place);
    here.take(count).map(|process| Queue { key: names.queue(&process), process }).collect()
}

/// Whether a channel belongs to a node of our kind.
pub(in super::super) fn is_ours(channel: &str) -> bool {
    channel.starts_with(PROCESS_PREFIX)
}

/// The channels of this process in the groups.
pub(in super::super) struct Members {
    connection: MultiplexedConnection,
    inward: Arc<Inward>,
}

impl Members {
    pub(in super::super) async fn connect(host: &Host, inward: Arc<Inward>) -> Result<Self, Failure> {
        Ok(Self { connection: host.connect().await?, inward })
    }

    /// Makes channels of ours members, or shows that they still are.
    pub(in super::super) async fn join(&mut self, groups: &[Arc<Group>]) -> Result<(), Failure> {
        let (expiry, mut commands) = (self.inward.group_expiry.as_secs().max(1), pipe());
        for group in groups {
            let set = self.inward.names.group_set(&group.name);
            commands.cmd("ZADD").arg(&set).arg(self.inward.now()).arg(self.channel(group)).ignore();
            commands.cmd("EXPIRE").arg(set).arg(expiry).ignore();
        }
        Ok(commands.exec_async(&mut self.connection).await?)
    }

    pub(in super::super) async fn leave(&mut self, groups: &[Arc<Group>]) -> Result<(), Failure> {
        let mut commands = pipe();
        for group in groups {
            commands.cmd("ZREM").arg(self.inward.names.group_set(&group.name)).arg(self.channel(group)).ignore();
        }
        Ok(commands.exec_async(&mut self.connection).await?)
    }

    /// Drops the queues: nobody will read them again.
    pub(in super::super) async fn drop_queues(&mut self) -> Result<(), Failure> {
        let mut command = cmd("DEL");
        self.inward.queues.iter().for_each(|queue| {
            command.arg(&queue.key);
        });
        Ok(command.exec_async(&mut self.connection).await?)
    }

    fn channel(&self, group: &Group) -> String {
        let process = &self.inward.queue_of(&group.name).process;
        format!("{process}{}", tag(&group.name, process))
    }
}

/// The channels, and whoever empties their queues.
pub(in super::super) struct Core {
    pub(in super::super) members: Members,
    reader: JoinHandle<Failure>,
}

impl Core {
    pub(in super::super) async fn connect(host: &Host, inward: Arc<Inward>) -> Result<Self, Failure> {
        let reader = Reader { connection: host.connect_patiently(WAIT).await?, inward: Arc::clone(&inward) };
        Ok(Self { members: Members::connect(host, inward).await?, reader: tokio::spawn(reader.read_for_ever()) })
    }

    /// Looks whether the server is still there.
    pub(in super::super) async fn check(&mut self) -> Result<(), Failure> {
        ping(&mut self.members.connection).await
    }

    /// Ends when the queues cannot be read any more.
    pub(in super::super) async fn lost(&mut self) -> Failure {
        (&mut self.reader).await.unwrap_or_else(|error| Failure(error.to_string()))
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Empties the queues as fast as it can, since a full one takes no more messages.
struct Reader {
    connection: MultiplexedConnection,
    inward: Arc<Inward>,
}

impl Reader {
    async fn read_for_ever(mut self) -> Failure {
        loop {
            if let Err(error) = self.read().await {
                return error;
            }
        }
    }

    /// Waits for a message, and then takes all that there are.
    async fn read(&mut self) -> Result<(), Failure> {
        let first: Option<(String, Vec<u8>, f64)> = self.wait_command().query_async(&mut self.connection).await?;
        let Some((_, message, _)) = first else { return Ok(()) };
        self.inward.queued(&message);
        let take = self.take_commands();
        loop {
            let queues: Vec<Vec<(Vec<u8>, f64)>> = take.query_async(&mut self.connection).await?;
            if queues.iter().all(Vec::is_empty) {
                return Ok(());
            }
            queues.iter().flatten().for_each(|(message, _)| self.inward.queued(message));
        }
    }

    fn wait_command(&self) -> Cmd {
        let mut command = cmd("BZPOPMIN");
        self.inward.queues.iter().for_each(|queue| {
            command.arg(&queue.key);
        });
        command.arg(WAIT.as_secs());
        command
    }

    fn take_commands(&self) -> Pipeline {
        let mut commands = pipe();
        for queue in &self.inward.queues {
            commands.cmd("ZPOPMIN").arg(&queue.key).arg(BATCH);
        }
        commands
    }
}
