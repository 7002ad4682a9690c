//! What the nodes on one database tell each other of the drivers at their sockets.
//!
//! A position goes with the transaction that stores it, at most five seconds later. Which drivers have a socket open is told
//! every ten seconds, all of a node at once: so a list that was missed is mended by the next one, and nobody
//! writes anything when a crowd comes or goes. Until then a driver is asked by his own node alone.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use holodrive_protocol::{Timestamp, UserId};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;
use uuid::Uuid;

use super::{live_board::LiveBoard, service::Orders};
use crate::{
    clock::SharedClock,
    dispatch::Position,
    storage::{StorageError, Tx},
};

/// How often a node tells who is connected to it.
const INTERVAL: Duration = Duration::from_secs(10);
/// After how long a silence the sockets of a node count as closed: it may have died.
const SILENCE: Duration = Duration::from_secs(30);

/// What a node tells of its drivers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FleetFact {
    /// Where they were.
    Moved(Vec<(UserId, Position)>),
    /// All who have a socket open there.
    Connected { node: Uuid, drivers: HashSet<UserId> },
}

/// The drivers who have a socket at another node. On the board they count as connected, as if the socket were here.
pub(super) struct Elsewhere {
    /// This node, as the others know it.
    here: Uuid,
    /// Whether the others were told of drivers who are connected here.
    has_told: AtomicBool,
    board: Arc<LiveBoard>,
    clock: SharedClock,
    nodes: Mutex<HashMap<Uuid, Told>>,
}

/// The last word of a node.
struct Told {
    drivers: HashSet<UserId>,
    at: Timestamp,
}

impl Elsewhere {
    pub(super) fn new(board: Arc<LiveBoard>, clock: SharedClock) -> Self {
        Self { here: Uuid::new_v4(), has_told: AtomicBool::new(false), board, clock, nodes: Mutex::default() }
    }

    /// Whether a driver has a socket at another node, as far as that has told.
    pub(super) fn is_connected(&self, driver_id: UserId) -> bool {
        self.nodes.lock().values().any(|told| told.drivers.contains(&driver_id))
    }

    /// A node has told who is connected to it.
    pub(super) fn hear(&self, node: Uuid, drivers: HashSet<UserId>) {
        if node == self.here {
            return;
        }
        let at = self.clock.now();
        let mut nodes = self.nodes.lock();
        let before = nodes.remove(&node).map(|told| told.drivers).unwrap_or_default();
        self.change_sockets(drivers.difference(&before), before.difference(&drivers), at);
        if !drivers.is_empty() {
            nodes.insert(node, Told { drivers, at });
        }
    }

    /// Takes the sockets of nodes that were silent for too long for closed.
    fn forget_silent(&self, now: Timestamp) {
        self.nodes.lock().retain(|_, told| {
            // A clock that was set back must not keep the dead alive.
            told.at = told.at.min(now);
            let is_silent = now.since(told.at) > SILENCE;
            if is_silent {
                self.change_sockets([].iter(), told.drivers.iter(), told.at);
            }
            !is_silent
        });
    }

    fn change_sockets<'d>(
        &self,
        opened: impl Iterator<Item = &'d UserId>,
        closed: impl Iterator<Item = &'d UserId>,
        at: Timestamp,
    ) {
        let (opened, closed): (Vec<_>, Vec<_>) = (opened.collect(), closed.collect());
        if opened.is_empty() && closed.is_empty() {
            return;
        }
        self.board.update(|board| {
            for driver_id in opened {
                board.driver_connected(*driver_id);
            }
            for driver_id in closed {
                board.driver_disconnected(*driver_id, at);
            }
        });
    }
}

impl Orders {
    /// Tells the other nodes who is connected to this one, for as long as the server runs.
    pub async fn share_sockets_for_ever(self: Arc<Self>) {
        loop {
            sleep(INTERVAL).await;
            self.share_sockets().await;
        }
    }

    /// Tells the other nodes, where there are any, which drivers have a socket open at this one.
    pub async fn share_sockets(self: &Arc<Self>) {
        let orders = Arc::clone(self);
        let shared = self.storage.write(move |tx| {
            orders.tell_connected(tx);
            Ok::<_, StorageError>(())
        });
        if let Err(error) = shared.await {
            tracing::warn!(%error, "the other nodes could not be told who is connected; they will be with the next list");
        }
        self.elsewhere.forget_silent(self.storage.clock().now());
    }

    /// A node without drivers tells that once.
    fn tell_connected(self: &Arc<Self>, tx: &mut Tx<'_>) {
        let drivers: HashSet<_> = self.driver_hub.keys().collect();
        let is_any = !drivers.is_empty();
        if tx.is_alone() || !is_any && !self.elsewhere.has_told.load(Ordering::Relaxed) {
            return;
        }
        tx.publish(&self.topics.fleet, FleetFact::Connected { node: self.elsewhere.here, drivers });
        let elsewhere = Arc::clone(&self.elsewhere);
        tx.after_commit(move || elsewhere.has_told.store(is_any, Ordering::Relaxed));
    }
}
