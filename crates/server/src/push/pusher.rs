use std::{sync::Arc, time::Duration};

use tokio::{
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    sending::{HOLD, Sending},
    store,
    way::{Target, Ways},
};
use crate::{
    orders::{DuePush, OrderError, Orders, PushResult},
    storage::{Storage, Tx},
    telemetry::{Metrics, Seldom},
};

/// How often the database is asked for due pushes even when nothing says so: another node may have left some.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
/// How long to wait after a step that came to nothing.
const RETRY_AFTER: Duration = Duration::from_millis(250);
/// Pushes that one transaction takes on.
const BATCH: usize = 100;
/// Offers whose drivers are being told at once; the others wait in the database, where other nodes find them.
const IN_HAND_MAX: usize = 2_000;

/// Takes on what is due, and sees to it that drivers are told.
pub struct Pusher {
    pub(super) orders: Arc<Orders>,
    pub(super) storage: Storage,
    pub(super) metrics: Arc<Metrics>,
    pub(super) ways: Ways,
    pub(super) failures: Seldom,
    /// This node ends: what is under way is finished, and nothing more is begun.
    pub(super) ending: CancellationToken,
    places: Arc<Semaphore>,
    under_way: TaskTracker,
}

impl Pusher {
    /// `None` where there is no way to anybody.
    pub fn new(orders: Arc<Orders>, storage: Storage, metrics: Arc<Metrics>, ways: Ways) -> Option<Arc<Self>> {
        if !ways.is_any() {
            return None;
        }
        ways.names().for_each(|way| metrics.pushes().is_on(way));
        Some(Arc::new(Self {
            orders,
            storage,
            metrics,
            ways,
            failures: Seldom::default(),
            ending: CancellationToken::new(),
            places: Arc::new(Semaphore::new(IN_HAND_MAX)),
            under_way: TaskTracker::new(),
        }))
    }

    /// Begins nothing more, and finishes what is under way; what only waits for its next attempt is left to other nodes.
    pub async fn drain(&self, within: Duration) {
        self.ending.cancel();
        self.under_way.close();
        if timeout(within, self.under_way.wait()).await.is_err() {
            tracing::warn!("some pushes did not end in time; another node sends them again");
        }
    }

    /// Pushes until the server ends.
    pub async fn push_for_ever(self: Arc<Self>) {
        loop {
            // Before it is looked whether this node ends: so what is taken on is not left lying.
            let under_way = self.under_way.token();
            if self.ending.is_cancelled() {
                return;
            }
            match self.orders.next_push().await {
                Ok(Some(Duration::ZERO)) => self.take_on().await,
                Ok(next) => {
                    drop(under_way);
                    let next = next.unwrap_or(SWEEP_INTERVAL).min(SWEEP_INTERVAL);
                    // An earlier push and the time of the next one are equally good reasons to look again.
                    let _ = timeout(next, self.orders.earlier_push()).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "the database cannot say what is to be pushed; trying again");
                    sleep(RETRY_AFTER).await;
                }
            }
        }
    }

    async fn take_on(self: &Arc<Self>) {
        let room = self.places.available_permits().min(BATCH);
        let pusher = Arc::clone(self);
        let taken = match room {
            0 => Ok(Vec::new()),
            _ => self.storage.write(move |tx| pusher.take(tx, room)).await,
        };
        match taken {
            Ok(taken) if !taken.is_empty() => taken.into_iter().for_each(|(push, targets)| self.begin(push, targets)),
            // What is due may be held by another node, or be just about to expire.
            Ok(_) => sleep(RETRY_AFTER).await,
            Err(error) => {
                tracing::warn!(%error, "pushes could not be taken on; trying again");
                sleep(RETRY_AFTER).await;
            }
        }
    }

    /// A driver who has no device is done with at once.
    fn take(&self, tx: &mut Tx<'_>, limit: usize) -> Result<Vec<(DuePush, Vec<Target>)>, OrderError> {
        let mut taken = Vec::new();
        for push in self.orders.take_pushes(tx, limit, HOLD)? {
            let targets = self.ways.targets(store::addressees(tx, push.driver_id)?, push.is_live);
            if targets.is_empty() {
                let failure = Some("no_device".to_owned());
                let nobody = PushResult { way: None, device_id: None, attempts: 0, failure };
                self.orders.settle_push(tx, &push, &[nobody], true)?;
            }
            taken.push((push, targets));
        }
        Ok(taken)
    }

    fn begin(self: &Arc<Self>, push: DuePush, targets: Vec<Target>) {
        if targets.is_empty() {
            return;
        }
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            let sending = Sending::new(Arc::clone(self), push, targets);
            self.under_way.spawn(async move {
                sending.run().await;
                drop(place);
            });
        }
    }
}
