//! `connected` and `disconnected`: told beside the connections, which do not wait.

use std::{sync::Arc, time::Duration};

use holodrive_protocol::{Timestamp, UserId};
use rand::random_range;
use serde::Serialize;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    HookError, HookName, NoAnswer,
    back_end::{BackEnd, Effort},
    questions,
    request::Request,
};
use crate::telemetry::Seldom;

/// What waits at the most.
const WAITING_MAX: usize = 10_000;
/// So many are told at once. All of one connection take the same lane, so they keep their order.
const LANES: usize = 8;
/// The pause after one that could not be told, in milliseconds.
const PAUSE_MS: std::ops::Range<u64> = 500..1_500;
/// An event that fails for so long is given up: should it be the event, and not the back end, others wait behind it.
const GIVE_UP_AFTER: Duration = Duration::from_mins(10);

/// Who came, and where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// The connection, by its number in this process.
    pub connection: u64,
    /// The endpoint's name.
    pub endpoint: &'static str,
    /// Who.
    pub user_id: UserId,
    /// The conversation or order of the path.
    pub object_id: Option<i64>,
}

#[derive(Serialize)]
struct Data<'v> {
    connection_id: String,
    endpoint: &'v str,
    user_id: UserId,
    object_id: Option<i64>,
    at: Timestamp,
}

/// Tells the back end who is connected.
pub struct Presence {
    back_end: Arc<BackEnd>,
    on: Vec<HookName>,
    /// Tells the connections of this process from those of others.
    process: String,
    lanes: Vec<mpsc::Sender<Request>>,
    closing: CancellationToken,
    workers: TaskTracker,
    drops: Seldom,
}

impl Presence {
    /// `None` where neither hook is on.
    pub(super) fn new(back_end: &Arc<BackEnd>, on: &[HookName]) -> Option<Arc<Self>> {
        let mine = [HookName::Connected, HookName::Disconnected];
        let on: Vec<_> = mine.into_iter().filter(|hook| on.contains(hook)).collect();
        if on.is_empty() {
            return None;
        }
        let (closing, workers) = (CancellationToken::new(), TaskTracker::new());
        let lane = |_| {
            let (sender, events) = mpsc::channel(WAITING_MAX / LANES);
            workers.spawn(tell_all(Arc::clone(back_end), events, closing.clone()));
            sender
        };
        let lanes = (0..LANES).map(lane).collect();
        let process = uuid::Uuid::new_v4().simple().to_string();
        Some(Arc::new(Self {
            back_end: Arc::clone(back_end),
            on,
            process,
            lanes,
            closing,
            workers,
            drops: Seldom::default(),
        }))
    }

    /// A connection was opened.
    pub fn connected(&self, visit: &Visit) {
        self.tell(HookName::Connected, visit);
    }

    /// It is gone.
    pub fn disconnected(&self, visit: &Visit) {
        self.tell(HookName::Disconnected, visit);
    }

    /// Tells what waits, and takes nothing more; what cannot be told in this time is lost.
    pub async fn drain(&self, within: Duration) {
        self.closing.cancel();
        self.workers.close();
        if timeout(within, self.workers.wait()).await.is_err() {
            tracing::warn!("the back end was not told of all connections that ended");
        }
    }

    fn tell(&self, hook: HookName, visit: &Visit) {
        if !self.on.contains(&hook) {
            return;
        }
        let now = self.back_end.clock.now();
        let sent = Request::new(hook, &self.data(visit, now), now).map(|request| self.lane(visit).try_send(request));
        if !matches!(sent, Ok(Ok(()))) {
            self.back_end.metrics.hooks().event_dropped();
            if self.drops.is_due() {
                tracing::warn!("the back end is away for too long: it is not told of all connections");
            }
        }
    }

    fn lane(&self, visit: &Visit) -> &mpsc::Sender<Request> {
        let lane = visit.connection % self.lanes.len() as u64;
        &self.lanes[usize::try_from(lane).unwrap_or_default()]
    }

    fn data<'v>(&self, visit: &'v Visit, at: Timestamp) -> Data<'v> {
        let connection_id = format!("{}-{}", self.process, visit.connection);
        Data { connection_id, endpoint: visit.endpoint, user_id: visit.user_id, object_id: visit.object_id, at }
    }
}

/// Tells one event after the other, until the end is near and none is left.
async fn tell_all(back_end: Arc<BackEnd>, mut events: mpsc::Receiver<Request>, closing: CancellationToken) {
    loop {
        let next = tokio::select! {
            next = events.recv() => next,
            () = closing.cancelled(), if !events.is_closed() => {
                events.close();
                continue;
            }
        };
        match next {
            Some(event) => tell_until_heard(&back_end, &event).await,
            None => return,
        }
    }
}

async fn tell_until_heard(back_end: &BackEnd, event: &Request) {
    let give_up_at = Instant::now() + GIVE_UP_AFTER;
    let tell = || back_end.ask(event, Effort::AllAttempts, questions::read::<NoAnswer>);
    while Err(HookError::Unavailable) == tell().await.map(drop) {
        if Instant::now() >= give_up_at {
            back_end.metrics.hooks().event_dropped();
            tracing::warn!(hook = event.hook.as_str(), id = %event.id, "an event cannot be told, and is dropped");
            return;
        }
        sleep(Duration::from_millis(random_range(PAUSE_MS))).await;
    }
}
