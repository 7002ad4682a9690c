//! Hears at once when another node leaves something in the outbox.

use std::{sync::Arc, time::Duration};

use futures_util::stream::{StreamExt, poll_fn};
use tokio::{
    sync::Notify,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_postgres::AsyncMessage;

use super::{
    LISTEN,
    address::{Address, text},
};

/// How long to wait before a lost connection is made again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A connection that only listens; it ends when this is dropped.
pub(in crate::storage) struct Listener {
    news: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Listener {
    /// Listens from now on. It must be called within a runtime.
    pub(in crate::storage) fn start(address: Address) -> Self {
        let news = Arc::new(Notify::new());
        let task = tokio::spawn(listen_for_ever(address, Arc::clone(&news)));
        Self { news, task }
    }

    /// Waits until there may be something new.
    pub(in crate::storage) async fn news(&self) {
        self.news.notified().await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen_for_ever(address: Address, news: Arc<Notify>) {
    loop {
        if let Err(error) = listen(&address, &news).await {
            tracing::debug!(error = text(&error), "the outbox is looked at now and then: PostgreSQL cannot tell of it");
        }
        sleep(RETRY_AFTER).await;
    }
}

async fn listen(address: &Address, news: &Notify) -> Result<(), tokio_postgres::Error> {
    let Ok(connected) = timeout(address.connect_limit(), address.connect()).await else { return Ok(()) };
    let (client, mut connection) = connected?;
    let mut messages = poll_fn(move |context| connection.poll_message(context));
    let listening = async {
        let begun = client.batch_execute(LISTEN).await;
        // What came before is not told any more.
        news.notify_one();
        begun
    };
    let hearing = async {
        while let Some(message) = messages.next().await {
            if let AsyncMessage::Notification(_) = message? {
                news.notify_one();
            }
        }
        Ok(())
    };
    tokio::try_join!(listening, hearing).map(drop)
}
