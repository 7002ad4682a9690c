//! Telling one driver of one offer, by all ways, until each has come to an end.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use holodrive_protocol::Timestamp;
use tokio::time::timeout;

use super::{
    backoff::pause,
    outcome::Outcome,
    pusher::Pusher,
    store,
    way::{Message, Target},
};
use crate::{
    orders::{DuePush, PushResult},
    storage::StorageError,
};

/// A push is held for so long at a time: this much later another node takes it from one that died.
pub(super) const HOLD: Duration = Duration::from_secs(5);
/// How often a push that takes long is held anew. By the same token it is noticed that the driver need not be told any more.
const HOLD_AGAIN: Duration = Duration::from_secs(2);
/// Attempts at one target.
const ATTEMPTS_MAX: u32 = 10;

/// A push that is under way.
pub(super) struct Sending {
    pusher: Arc<Pusher>,
    push: DuePush,
    aims: Vec<Aim>,
    expires: Instant,
    attempt: u32,
    /// A request was cut off on its way: nobody knows whether it has reached a phone.
    is_unsure: bool,
}

/// What is told in one round, as it is when it goes out.
struct Draft {
    push: DuePush,
    expires: Instant,
    attempt: u32,
    /// Whether it has gone out to anybody.
    went_out: AtomicBool,
}

/// A target that was not reached yet.
struct Aim {
    target: Target,
    attempts: u32,
    not_before: Instant,
    /// Why it was not reached; empty before the first attempt.
    reason: String,
}

/// What one round has brought to an end.
#[derive(Default)]
struct News {
    results: Vec<PushResult>,
    /// Devices to forget, unless they were registered after this moment.
    gone: Vec<(i64, Timestamp)>,
    /// As [`Sending::is_unsure`].
    is_unsure: bool,
}

/// What follows a round after which there is something left to try.
enum Next {
    Round,
    /// The driver need not be told any more.
    GiveUp,
    /// This node ends.
    HandOn,
}

impl Sending {
    pub(super) fn new(pusher: Arc<Pusher>, push: DuePush, targets: Vec<Target>) -> Self {
        let now = Instant::now();
        let aim = |target| Aim { target, attempts: 0, not_before: now, reason: String::new() };
        let left = push.expires_at.as_micros().saturating_sub(push.taken_at.as_micros()).max(0).unsigned_abs();
        let expires = now + Duration::from_micros(left);
        Self { pusher, push, aims: targets.into_iter().map(aim).collect(), expires, attempt: 0, is_unsure: false }
    }

    pub(super) async fn run(mut self) {
        loop {
            let Some(news) = self.try_once().await else { break };
            if !self.settle(news).await || self.aims.is_empty() {
                return;
            }
            match self.wait().await {
                Next::Round => {}
                Next::GiveUp => break,
                Next::HandOn => return,
            }
        }
        self.give_up().await;
    }

    /// Tries those targets whose time has come, all at once. `None` when the driver need not be told any more.
    async fn try_once(&mut self) -> Option<News> {
        self.attempt += 1;
        let now = Instant::now();
        let draft = self.draft();
        let due: Vec<_> = self.aims.extract_if(.., |aim| aim.not_before <= now).collect();
        let ways = &self.pusher.ways;
        let sending = join_all(due.iter().map(|aim| ways.send(&aim.target, || draft.message())));
        let Some(outcomes) = while_held(&self.pusher, &mut self.push, sending).await else {
            self.is_unsure = draft.went_out.into_inner();
            self.aims.extend(due);
            return None;
        };
        Some(self.judge(due, outcomes))
    }

    fn draft(&self) -> Draft {
        let (push, went_out) = (self.push.clone(), AtomicBool::new(false));
        Draft { push, expires: self.expires, attempt: self.attempt, went_out }
    }

    fn judge(&mut self, tried: Vec<Aim>, outcomes: Vec<Outcome>) -> News {
        let mut news = News::default();
        for (aim, outcome) in tried.into_iter().zip(outcomes) {
            self.pusher.metrics.pushes().tried(aim.target.way(), outcome.label());
            self.complain(&aim, &outcome);
            self.take_in(aim, outcome, &mut news);
        }
        news
    }

    fn take_in(&mut self, mut aim: Aim, outcome: Outcome, news: &mut News) {
        aim.attempts += 1;
        match outcome {
            Outcome::Sent => news.results.push(aim.ended(None)),
            Outcome::Failed(reason) => news.results.push(aim.ended(Some(reason))),
            Outcome::Unregistered { since, reason } => {
                news.gone.extend(aim.gone(since));
                news.results.push(aim.ended(Some(reason)));
            }
            Outcome::Delayed { after, reason } => {
                aim.not_before = Instant::now() + pause(aim.attempts, after);
                if aim.attempts >= ATTEMPTS_MAX || aim.not_before >= self.expires {
                    news.results.push(aim.ended(Some(reason)));
                } else {
                    self.aims.push(Aim { reason, ..aim });
                }
            }
        }
    }

    fn complain(&self, aim: &Aim, outcome: &Outcome) {
        if let Outcome::Failed(reason) | Outcome::Delayed { reason, .. } = outcome
            && self.pusher.failures.is_due()
        {
            tracing::warn!(way = aim.target.way(), reason, offer_id = self.push.offer_id, "a push failed");
        }
    }

    /// Should it not be stored, the push is due again when it is held no more: better twice than never.
    async fn settle(&self, news: News) -> bool {
        let (orders, push, done) = (Arc::clone(&self.pusher.orders), self.push.clone(), self.aims.is_empty());
        let settled = self.pusher.storage.write(move |tx| {
            news.gone.into_iter().try_for_each(|(device_id, known_at)| store::forget(tx, device_id, known_at))?;
            if news.is_unsure {
                orders.pushed_late(tx, push.offer_id)?;
            }
            orders.settle_push(tx, &push, &news.results, done)
        });
        let settled: Result<(), StorageError> = settled.await;
        if let Err(error) = &settled {
            tracing::warn!(%error, offer_id = self.push.offer_id, "what came of a push could not be stored");
        }
        settled.is_ok()
    }

    /// Waits for the next attempt.
    async fn wait(&mut self) -> Next {
        let Some(next) = self.aims.iter().map(|aim| aim.not_before).min() else { return Next::GiveUp };
        let pause = next.saturating_duration_since(Instant::now());
        if !hold(&self.pusher, &mut self.push, pause + HOLD).await {
            return Next::GiveUp;
        }
        if timeout(pause, self.pusher.ending.cancelled()).await.is_ok() {
            // Another node goes on when this one would have.
            let left = next.saturating_duration_since(Instant::now());
            hold(&self.pusher, &mut self.push, left).await;
            return Next::HandOn;
        }
        if hold(&self.pusher, &mut self.push, HOLD).await { Next::Round } else { Next::GiveUp }
    }

    /// The driver need not be told any more: what was tried in vain until then is put down.
    async fn give_up(mut self) {
        let tried = self.aims.drain(..).filter(|aim| aim.attempts > 0);
        let results: Vec<_> = tried
            .map(|aim| {
                let reason = aim.reason.clone();
                aim.ended(Some(reason))
            })
            .collect();
        if !results.is_empty() || self.is_unsure {
            let is_unsure = self.is_unsure;
            self.settle(News { results, is_unsure, ..News::default() }).await;
        }
    }
}

impl Draft {
    /// `None` when nobody wants it any more.
    fn message(&self) -> Option<Message> {
        let left = self.expires.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        self.went_out.store(true, Ordering::Relaxed);
        let left_micros = u64::try_from(left.as_micros()).unwrap_or(u64::MAX);
        let now = Timestamp::from_micros(self.push.expires_at.as_micros().saturating_sub_unsigned(left_micros));
        Some(Message {
            driver_id: self.push.driver_id,
            order: self.push.order.clone().with_remaining(now),
            offer_id: self.push.offer_id,
            is_live: self.push.is_live,
            expires_at: self.push.expires_at,
            ttl_seconds: left.as_secs().max(1),
            attempt: self.attempt,
        })
    }
}

impl Aim {
    fn ended(self, failure: Option<String>) -> PushResult {
        let (way, device_id) = (Some(self.target.way()), self.target.device_id());
        PushResult { way, device_id, attempts: self.attempts, failure }
    }

    /// A device that is not reached any more, and up to when that is known of it.
    fn gone(&self, since: Option<Timestamp>) -> Option<(i64, Timestamp)> {
        let Target::Device(addressee) = &self.target else { return None };
        let device = &addressee.device;
        Some((device.id, since.map_or(device.registered_at, |since| since.min(device.registered_at))))
    }
}

/// Works while the push is ours and the driver is still to be told.
async fn while_held<T>(pusher: &Pusher, push: &mut DuePush, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    loop {
        if let Ok(done) = timeout(HOLD_AGAIN, &mut work).await {
            return Some(done);
        }
        if !hold(pusher, push, HOLD).await {
            return None;
        }
    }
}

/// While the database is away, the push goes on.
async fn hold(pusher: &Pusher, push: &mut DuePush, hold: Duration) -> bool {
    pusher.orders.hold_push(push, hold).await.unwrap_or(true)
}
