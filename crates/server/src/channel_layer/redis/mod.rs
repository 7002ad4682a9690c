//! Everything that speaks to Redis: the only module that knows the crate `redis`.

mod core;
mod publisher;
mod pubsub;

use std::{sync::Arc, time::Duration};

use ::redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionLike, IntoConnectionInfo, ProtocolVersion, PushInfo, RedisError,
    aio::MultiplexedConnection,
};

pub(super) use self::core::{Core, Members, Queue, is_ours, queues};
pub(super) use self::publisher::{Entry, Publisher};
pub(super) use self::pubsub::PubSub;
use super::settings::Backend;
use crate::config::Secret;

/// How long a connection may take to be made, and an answer to come: a server that is frozen refuses nothing.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Whether the text is the address of a Redis server.
pub(crate) fn is_address(text: &str) -> bool {
    text.into_connection_info().is_ok()
}

/// Why something did not go as it should; tells no secrets.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Failure(String);

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        Self(error.to_string())
    }
}

/// One Redis server.
pub(super) struct Host {
    client: Client,
    /// Host and port.
    pub(super) name: String,
}

impl Host {
    pub(super) fn new(url: &Secret, backend: Backend) -> Result<Self, Failure> {
        let info = url.expose().into_connection_info()?;
        let name = info.addr().to_string();
        let protocol = match backend {
            Backend::Core => ProtocolVersion::RESP2,
            // Only with it one connection can listen and be asked whether it is there.
            Backend::Pubsub => ProtocolVersion::RESP3,
        };
        let settings = info.redis_settings().clone().set_protocol(protocol);
        Ok(Self { client: Client::open(info.set_redis_settings(settings))?, name })
    }

    /// Asks the server whether it is there, and waits for the answer.
    pub(super) fn ping(&self) -> Result<(), Failure> {
        let mut connection = self.client.get_connection_with_timeout(TIMEOUT)?;
        connection.set_read_timeout(Some(TIMEOUT))?;
        connection.check_connection().then_some(()).ok_or_else(|| Failure("it does not answer".into()))
    }

    async fn connect(&self) -> Result<MultiplexedConnection, Failure> {
        self.connect_with(config(TIMEOUT)).await
    }

    /// A connection for commands that may take as long as `patience` to be answered.
    async fn connect_patiently(&self, patience: Duration) -> Result<MultiplexedConnection, Failure> {
        self.connect_with(config(TIMEOUT + patience)).await
    }

    /// A connection that hands `hear` what is published, in the order in which it comes, and reads no further meanwhile.
    async fn connect_listening(
        &self,
        hear: impl Fn(PushInfo) + Send + Sync + 'static,
    ) -> Result<MultiplexedConnection, Failure> {
        let hear = move |push| -> Result<(), ()> {
            hear(push);
            Ok(())
        };
        self.connect_with(config(TIMEOUT).set_push_sender(Arc::new(hear))).await
    }

    async fn connect_with(&self, config: AsyncConnectionConfig) -> Result<MultiplexedConnection, Failure> {
        Ok(self.client.get_multiplexed_async_connection_with_config(&config).await?)
    }
}

fn config(answer: Duration) -> AsyncConnectionConfig {
    AsyncConnectionConfig::new().set_connection_timeout(Some(TIMEOUT)).set_response_timeout(Some(answer))
}

async fn ping(connection: &mut MultiplexedConnection) -> Result<(), Failure> {
    Ok(Cmd::ping().exec_async(connection).await?)
}
