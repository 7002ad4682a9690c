use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    hash::Hash,
    net::IpAddr,
    sync::Arc,
};

use holodrive_protocol::UserId;
use parking_lot::Mutex;

use super::{Close, Connection, ConnectionId};

/// All open connections of this node, and how many each user and address has.
#[derive(Default)]
pub(super) struct Registry {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    connections: BTreeMap<ConnectionId, Arc<Connection>>,
    users: HashMap<UserId, u32>,
    addresses: HashMap<IpAddr, u32>,
    draining: bool,
}

/// How many connections there may be; `None` is no limit.
#[derive(Clone, Copy)]
pub(super) struct ConnectionLimits {
    pub(super) per_user: Option<u32>,
    pub(super) per_address: Option<u32>,
}

impl Registry {
    /// Counts a connection in, or says why it may not stay.
    pub(super) fn admit(&self, connection: &Arc<Connection>, limits: ConnectionLimits) -> Result<(), Close> {
        let mut inner = self.inner.lock();
        if inner.draining {
            return Err(Close::going_away(std::time::Duration::ZERO));
        }
        if is_full(&inner.users, &connection.user_id(), limits.per_user) {
            return Err(Close::rate_limited("too many connections of this user: close one first"));
        }
        if is_full(&inner.addresses, &connection.address(), limits.per_address) {
            return Err(Close::rate_limited("too many connections from this address"));
        }
        *inner.users.entry(connection.user_id()).or_default() += 1;
        *inner.addresses.entry(connection.address()).or_default() += 1;
        inner.connections.insert(connection.id(), Arc::clone(connection));
        Ok(())
    }

    /// The connections of this moment.
    pub(super) fn connections(&self) -> Vec<Arc<Connection>> {
        self.inner.lock().connections.values().cloned().collect()
    }

    /// Lets nobody in any more, and gives those who are in.
    pub(super) fn drain(&self) -> Vec<Arc<Connection>> {
        self.inner.lock().draining = true;
        self.connections()
    }

    /// Counts out a connection that was admitted.
    pub(super) fn leave(&self, connection: &Connection) {
        let mut inner = self.inner.lock();
        inner.connections.remove(&connection.id());
        decrement(&mut inner.users, connection.user_id());
        decrement(&mut inner.addresses, connection.address());
    }
}

fn is_full<K: Eq + Hash>(counts: &HashMap<K, u32>, key: &K, limit: Option<u32>) -> bool {
    limit.is_some_and(|limit| counts.get(key).is_some_and(|count| *count >= limit))
}

fn decrement<K: Eq + Hash>(counts: &mut HashMap<K, u32>, key: K) {
    if let Entry::Occupied(mut entry) = counts.entry(key) {
        *entry.get_mut() -= 1;
        if *entry.get() == 0 {
            entry.remove();
        }
    }
}
