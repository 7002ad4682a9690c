//! The groups that have connections on this node.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;
use smallvec::SmallVec;
use tokio::sync::{Notify, oneshot};

use super::codec::Event;
use crate::gateway::{Connection, ConnectionId};

/// A group with connections here.
pub(super) struct Group {
    /// As Django calls it.
    pub(super) name: String,
    /// What comes back from Redis with a message for it.
    pub(super) address: Arc<str>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    members: SmallVec<[Arc<Connection>; 1]>,
    /// Whether Redis knows that it is wanted.
    is_joined: bool,
    /// Whether a sweep looks at it.
    is_emptied: bool,
    /// Told when Redis knows, or cannot be told.
    waiting: Vec<oneshot::Sender<()>>,
}

/// Groups by address, and what Redis has yet to be told of them.
pub(super) struct Groups {
    table: Mutex<HashMap<Arc<str>, Arc<Group>>>,
    changes: Mutex<Changes>,
    wake: Notify,
    /// How many there are, for `/metrics`.
    gauge: Gauge,
}

struct Changes {
    /// Whether anybody tells Redis, or is about to.
    is_attended: bool,
    entered: Vec<Arc<Group>>,
    /// Those whose last connection left; the second list did so before the last sweep.
    emptied: [Vec<Arc<Group>>; 2],
}

/// A connection in a group, until it is dropped.
pub(super) struct Seat {
    groups: Arc<Groups>,
    group: Arc<Group>,
    connection: ConnectionId,
}

impl Group {
    fn new(name: String, address: Arc<str>) -> Arc<Self> {
        Arc::new(Self { name, address, state: Mutex::default() })
    }

    fn is_empty(&self) -> bool {
        self.state.lock().members.is_empty()
    }

    /// Redis knows that it is wanted.
    pub(super) fn joined(&self) {
        let mut state = self.state.lock();
        state.is_joined = true;
        state.waiting.clear();
    }

    fn send(&self, event: &Event) {
        for member in &self.state.lock().members {
            match event.transient {
                Some(key) => member.send_transient(key, event.frame.clone()),
                None => member.send(event.frame.clone()),
            }
        }
    }
}

impl Groups {
    /// No groups; somebody is about to tell Redis of those that come.
    pub(super) fn new(gauge: Gauge) -> Arc<Self> {
        let changes = Changes { is_attended: true, entered: Vec::new(), emptied: Default::default() };
        Arc::new(Self { table: Mutex::default(), changes: Mutex::new(changes), wake: Notify::new(), gauge })
    }

    /// Adds a connection; the receiver ends when Redis knows the group, and there is none where that need not be waited for.
    pub(super) fn enter(
        self: &Arc<Self>,
        name: String,
        address: Arc<str>,
        connection: &Arc<Connection>,
    ) -> (Seat, Option<oneshot::Receiver<()>>) {
        let mut table = self.table.lock();
        let (group, is_new) = match table.entry(address) {
            Entry::Occupied(entry) => (Arc::clone(entry.get()), false),
            Entry::Vacant(entry) => {
                self.gauge.inc();
                let group = Group::new(name, Arc::clone(entry.key()));
                (Arc::clone(entry.insert(group)), true)
            }
        };
        let joined = self.sit(&group, connection, is_new);
        drop(table);
        (Seat { groups: Arc::clone(self), group, connection: connection.id() }, joined)
    }

    fn sit(&self, group: &Arc<Group>, connection: &Arc<Connection>, is_new: bool) -> Option<oneshot::Receiver<()>> {
        let (mut changes, mut state) = (self.changes.lock(), group.state.lock());
        state.members.push(Arc::clone(connection));
        if is_new && changes.is_attended {
            changes.entered.push(Arc::clone(group));
            self.wake.notify_one();
        }
        (changes.is_attended && !state.is_joined).then(|| {
            let (sender, receiver) = oneshot::channel();
            state.waiting.push(sender);
            receiver
        })
    }

    /// Sends an event to the connections of a group.
    pub(super) fn send(&self, address: &str, event: &Event) {
        let group = self.table.lock().get(address).cloned();
        if let Some(group) = group {
            group.send(event);
        }
    }

    /// All groups. From now on, those that come are in [`Groups::entered`].
    pub(super) fn attend(&self) -> Vec<Arc<Group>> {
        let table = self.table.lock();
        let mut changes = self.changes.lock();
        changes.is_attended = true;
        changes.entered.clear();
        table.values().cloned().collect()
    }

    /// All groups.
    pub(super) fn all(&self) -> Vec<Arc<Group>> {
        self.table.lock().values().cloned().collect()
    }

    /// Nobody tells Redis of changes any more, and it has forgotten all groups: nobody waits for it.
    pub(super) fn neglect(&self) {
        let table = self.table.lock();
        let mut changes = self.changes.lock();
        changes.is_attended = false;
        changes.entered.clear();
        for group in table.values() {
            let mut state = group.state.lock();
            state.is_joined = false;
            state.waiting.clear();
        }
    }

    /// Waits for groups that are new.
    pub(super) async fn entered(&self) -> Vec<Arc<Group>> {
        loop {
            let entered = std::mem::take(&mut self.changes.lock().entered);
            if !entered.is_empty() {
                return entered;
            }
            self.wake.notified().await;
        }
    }

    /// Forgets the groups that nobody has been in since the last sweep but one: whoever reconnects finds them as they were.
    pub(super) fn sweep(&self) -> Vec<Arc<Group>> {
        let mut table = self.table.lock();
        let mut changes = self.changes.lock();
        let [recent, _] = &mut changes.emptied;
        let recent = std::mem::take(recent);
        let mut gone = std::mem::replace(&mut changes.emptied[1], recent);
        gone.retain(|group| {
            group.state.lock().is_emptied = false;
            let is_current = table.get(&group.address).is_some_and(|current| Arc::ptr_eq(current, group));
            is_current && group.is_empty() && table.remove(&group.address).is_some()
        });
        self.gauge.dec_by(i64::try_from(gone.len()).unwrap_or(i64::MAX));
        gone
    }

    fn leave(&self, group: &Arc<Group>, connection: ConnectionId) {
        let mut changes = self.changes.lock();
        let mut state = group.state.lock();
        state.members.retain(|member| member.id() != connection);
        if state.members.is_empty() && !std::mem::replace(&mut state.is_emptied, true) {
            changes.emptied[0].push(Arc::clone(group));
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.groups.leave(&self.group, self.connection);
    }
}
