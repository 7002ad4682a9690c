//! What `group_send` says to Redis.

use std::time::Duration;

use ::redis::{aio::MultiplexedConnection, pipe};

use super::{Failure, Host};

/// Adds a message to a queue that is not full: 1 when it is.
const ENQUEUE: &str = "
redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, ARGV[3])
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[4]) then return 1 end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[5])
return 0";

/// Connections to the servers, made when they are needed.
pub(in super::super) struct Publisher {
    hosts: Vec<(Host, Option<MultiplexedConnection>)>,
}

/// A message for a queue of the layer `core`.
pub(in super::super) struct Entry {
    pub(in super::super) queue: String,
    pub(in super::super) bytes: Vec<u8>,
    /// Unix seconds.
    pub(in super::super) time: f64,
}

impl Publisher {
    pub(in super::super) fn new(hosts: Vec<Host>) -> Self {
        Self { hosts: hosts.into_iter().map(|host| (host, None)).collect() }
    }

    pub(in super::super) async fn publish(
        &mut self,
        host: usize,
        messages: &[(String, Vec<u8>)],
    ) -> Result<(), Failure> {
        let mut commands = pipe();
        for (channel, bytes) in messages {
            commands.cmd("PUBLISH").arg(channel).arg(bytes).ignore();
        }
        self.query(host, &commands).await
    }

    /// The members of these groups that are younger than `oldest`.
    pub(in super::super) async fn members(
        &mut self,
        host: usize,
        sets: &[String],
        oldest: f64,
    ) -> Result<Vec<Vec<String>>, Failure> {
        let mut commands = pipe();
        for set in sets {
            commands.cmd("ZREMRANGEBYSCORE").arg(set).arg(0).arg(oldest).ignore();
            commands.cmd("ZRANGE").arg(set).arg(0).arg(-1);
        }
        self.query(host, &commands).await
    }

    /// Gives how many queues were full.
    pub(in super::super) async fn enqueue(
        &mut self,
        host: usize,
        entries: &[Entry],
        expiry: Duration,
        capacity: u32,
    ) -> Result<u64, Failure> {
        let mut commands = pipe();
        for Entry { queue, bytes, time } in entries {
            let command = commands.cmd("EVAL").arg(ENQUEUE).arg(1).arg(queue).arg(bytes).arg(time);
            command.arg(time - expiry.as_secs_f64()).arg(capacity).arg(expiry.as_secs().max(1));
        }
        let refused: Vec<u64> = self.query(host, &commands).await?;
        Ok(refused.into_iter().sum())
    }

    async fn query<T: ::redis::FromRedisValue>(
        &mut self,
        host: usize,
        commands: &::redis::Pipeline,
    ) -> Result<T, Failure> {
        let (host, kept) = &mut self.hosts[host];
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => host.connect().await?,
        };
        let answer = commands.query_async(&mut connection).await?;
        *kept = Some(connection);
        Ok(answer)
    }
}
