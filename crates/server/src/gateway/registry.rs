use std::{
    collections::{HashMap, hash_map::Entry},
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use holodrive_protocol::UserId;
use parking_lot::Mutex;

use super::{Close, Connection};
use crate::{
    config::Config,
    shards::{Keyed, Shards},
};

/// Independent locks for the counts of addresses.
const TABLES: usize = 64;

/// All open connections of this node, and how many each user and address has.
///
/// No lock is everybody's: whoever comes in waits for those whose users share a table with his, and for nobody else,
/// however many leave or are looked after meanwhile.
pub(super) struct Registry {
    limits: ConnectionLimits,
    connections: Shards<Arc<Connection>>,
    /// Counted only where there is a limit.
    addresses: Addresses,
    count: AtomicUsize,
    draining: AtomicBool,
}

/// How many connections there may be; `None` is no limit.
#[derive(Clone, Copy)]
pub(super) struct ConnectionLimits {
    pub(super) per_user: Option<u32>,
    pub(super) per_address: Option<u32>,
}

/// Where a connection is counted beside its user.
///
/// An address has its place only where it counts: a quiet connection keeps it for as long as it is there.
#[derive(Default)]
pub(super) struct Admission(Option<Box<IpAddr>>);

impl From<&Config> for ConnectionLimits {
    fn from(config: &Config) -> Self {
        Self { per_user: config.max_connections_per_user, per_address: config.max_connections_per_ip }
    }
}

impl Keyed for Arc<Connection> {
    type Key = UserId;

    fn key(&self) -> UserId {
        self.user_id()
    }
}

impl Registry {
    /// Nobody is in.
    pub(super) fn new(limits: ConnectionLimits) -> Self {
        Self {
            limits,
            connections: Shards::default(),
            addresses: Addresses::default(),
            count: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
        }
    }

    /// Counts a connection in, or says why it may not stay.
    pub(super) fn admit(&self, connection: &Arc<Connection>, address: IpAddr) -> Result<Admission, Close> {
        let mut admission = Admission::default();
        self.connections.insert_if(Arc::clone(connection), |others| {
            // Asked under the lock of the table, so that whoever drains finds everybody who was let in.
            if self.draining.load(Ordering::Relaxed) {
                return Err(Close::going_away(Duration::ZERO));
            }
            if reaches(others.len(), self.limits.per_user) {
                return Err(Close::rate_limited("too many connections of this user: close one first"));
            }
            admission = self.count_in(address)?;
            Ok(())
        })?;
        self.count.fetch_add(1, Ordering::Relaxed);
        Ok(admission)
    }

    fn count_in(&self, address: IpAddr) -> Result<Admission, Close> {
        let Some(limit) = self.limits.per_address else { return Ok(Admission::default()) };
        if !self.addresses.add(address, limit) {
            return Err(Close::rate_limited("too many connections from this address"));
        }
        Ok(Admission(Some(Box::new(address))))
    }

    /// How many are in.
    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// The connections, table after table: who comes or goes meanwhile may be missing or be there.
    pub(super) fn connections(&self) -> impl Iterator<Item = Arc<Connection>> {
        self.connections.iter()
    }

    /// Lets nobody in any more, and gives those who are in.
    pub(super) fn drain(&self) -> Vec<Arc<Connection>> {
        self.draining.store(true, Ordering::Relaxed);
        self.connections().collect()
    }

    /// Counts out a connection that was admitted.
    pub(super) fn leave(&self, connection: &Arc<Connection>, admission: &Admission) {
        self.connections.remove(connection.key(), |other| Arc::ptr_eq(other, connection));
        self.count.fetch_sub(1, Ordering::Relaxed);
        if let Some(address) = &admission.0 {
            self.addresses.subtract(**address);
        }
    }
}

fn reaches(count: usize, limit: Option<u32>) -> bool {
    limit.is_some_and(|limit| count >= limit as usize)
}

/// How many connections each address has.
struct Addresses {
    tables: [Mutex<HashMap<IpAddr, u32>>; TABLES],
    hasher: RandomState,
}

impl Default for Addresses {
    fn default() -> Self {
        Self { tables: std::array::from_fn(|_| Mutex::default()), hasher: RandomState::new() }
    }
}

impl Addresses {
    /// Counts one more, unless that is beyond the limit; tells whether it is counted.
    fn add(&self, address: IpAddr, limit: u32) -> bool {
        let mut counts = self.table(address).lock();
        let count = counts.entry(address).or_default();
        let allowed = *count < limit;
        *count += u32::from(allowed);
        allowed
    }

    fn subtract(&self, address: IpAddr) {
        let mut counts = self.table(address).lock();
        let Entry::Occupied(mut entry) = counts.entry(address) else { return };
        *entry.get_mut() -= 1;
        if *entry.get() > 0 {
            return;
        }
        entry.remove();
        if counts.len() < counts.capacity() / 4 {
            let room = counts.len() * 2;
            counts.shrink_to(room);
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "only the low bits choose the table")]
    fn table(&self, address: IpAddr) -> &Mutex<HashMap<IpAddr, u32>> {
        &self.tables[self.hasher.hash_one(address) as usize % TABLES]
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::{net::Ipv4Addr, sync::Mutex as StdMutex, thread};

    use super::*;
    use crate::{
        gateway::{
            endpoint::Profile,
            testing::{quiet_terms, somebody},
        },
        testing::Site,
    };

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn connections(count: i64, users: i64) -> Vec<Arc<Connection>> {
        let profile = Profile { max_message_bytes: None, outbound_bytes: None, rate: None, pause_when_behind: false };
        let terms = Arc::new(quiet_terms("test", &Site::new().accounts, profile));
        (0..count).map(|number| Connection::new(somebody(UserId::Int(number % users)), Arc::clone(&terms))).collect()
    }

    fn registry(per_user: Option<u32>, per_address: Option<u32>) -> Registry {
        Registry::new(ConnectionLimits { per_user, per_address })
    }

    #[tokio::test]
    async fn limits_are_exact_however_many_come_and_go_at_once() {
        let (registry, connections) = (registry(Some(2), Some(9)), connections(60, 6));
        let (registry, admitted) = (&registry, &StdMutex::new(Vec::new()));
        for _ in 0..50 {
            thread::scope(|scope| {
                for some in connections.chunks(15) {
                    scope.spawn(move || {
                        for connection in some {
                            if let Ok(admission) = registry.admit(connection, HERE) {
                                admitted.lock().unwrap().push((connection, admission));
                            }
                        }
                    });
                }
            });
            let mut admitted = admitted.lock().unwrap();
            assert_eq!((admitted.len(), registry.count(), registry.connections().count()), (9, 9, 9));
            for user in 0..6 {
                let his = admitted.iter().filter(|(connection, _)| connection.user_id() == UserId::Int(user));
                assert!(his.count() <= 2);
            }
            admitted.drain(..).for_each(|(connection, admission)| registry.leave(connection, &admission));
            assert_eq!((registry.count(), registry.connections().count()), (0, 0));
        }
    }

    #[tokio::test]
    async fn whoever_drains_finds_everybody_who_was_let_in() {
        let (registry, connections) = (registry(None, None), connections(2_000, 700));
        let admitted = |connections: &[Arc<Connection>]| {
            connections.iter().take_while(|connection| registry.admit(connection, HERE).is_ok()).count()
        };
        let (first, rest) = connections.split_at(200);
        assert_eq!(admitted(first), 200);
        thread::scope(|scope| {
            let crowd = scope.spawn(|| admitted(rest));
            let found = registry.drain().len();
            assert_eq!(found, 200 + crowd.join().unwrap());
        });
        assert_eq!(registry.count(), registry.connections().count());
        assert_eq!(registry.admit(&connections[0], HERE).err().map(|close| close.code), Some(1001));
    }
}
