//! Values by key under many locks: for tables of everybody who is connected.
//!
//! A crowd that comes or goes holds up nobody else for longer than one of its members takes. Most keys have one value, so
//! a value holds its own key and the table only points to it: that is what a quiet connection can afford.

use std::{
    convert::Infallible,
    hash::{BuildHasher, Hash, RandomState},
    slice,
};

use hashbrown::{
    HashTable,
    hash_table::{Entry, OccupiedEntry},
};
use parking_lot::{Mutex, MutexGuard};

/// Independent locks; more than there are cores, so that two threads seldom want the same one.
const SHARDS: usize = 64;
/// A table as large as this is never made smaller.
const SMALL: usize = 16;

/// A value that knows its key.
pub(crate) trait Keyed {
    /// What it is found by.
    type Key: Copy + Eq + Hash;

    /// Its key, which never changes.
    fn key(&self) -> Self::Key;
}

/// Values by key, several under one key where need be.
pub(crate) struct Shards<T> {
    tables: Box<[Mutex<HashTable<Group<T>>>]>,
    hasher: RandomState,
}

/// The values of one key: never none.
enum Group<T> {
    One(T),
    #[expect(clippy::box_collection, reason = "most groups are one value, and pay for the size of the others")]
    More(Box<Vec<T>>),
}

impl<T> Group<T> {
    fn members(&self) -> &[T] {
        match self {
            Self::One(value) => slice::from_ref(value),
            Self::More(values) => values,
        }
    }

    fn with(self, value: T) -> Self {
        Self::More(match self {
            Self::One(first) => Box::new(vec![first, value]),
            Self::More(mut values) => {
                values.push(value);
                values
            }
        })
    }

    /// The group without the values that `is_it` knows; `None` where nobody is left.
    fn without(self, is_it: impl Fn(&T) -> bool) -> Option<Self> {
        match self {
            Self::One(value) => (!is_it(&value)).then_some(Self::One(value)),
            Self::More(mut values) => {
                values.retain(|value| !is_it(value));
                (!values.is_empty()).then_some(Self::More(values))
            }
        }
    }
}

impl<T: Keyed> Group<T> {
    fn key(&self) -> Option<T::Key> {
        self.members().first().map(Keyed::key)
    }
}

impl<T> Default for Shards<T> {
    fn default() -> Self {
        Self { tables: (0..SHARDS).map(|_| Mutex::default()).collect(), hasher: RandomState::new() }
    }
}

impl<T: Keyed> Shards<T> {
    /// Adds a value.
    pub(crate) fn insert(&self, value: T) {
        let Ok(()) = self.insert_if(value, |_| Ok::<_, Infallible>(()));
    }

    /// Adds a value, unless `check` refuses it; it sees the others of the same key. No other value of the key comes or
    /// goes meanwhile, so `check` must not come back to this table.
    pub(crate) fn insert_if<R>(&self, value: T, check: impl FnOnce(&[T]) -> Result<(), R>) -> Result<(), R> {
        let key = value.key();
        let hash = self.hasher.hash_one(key);
        let mut table = self.table(hash);
        match table.entry(hash, |group| group.key() == Some(key), |group| self.hash(group)) {
            Entry::Vacant(vacant) => {
                check(&[])?;
                vacant.insert(Group::One(value));
            }
            Entry::Occupied(entry) => {
                check(entry.get().members())?;
                replace(entry, |group| Some(group.with(value)));
            }
        }
        Ok(())
    }

    /// Takes out the values of `key` that `is_it` knows. A table that a crowd has left gives its room back.
    pub(crate) fn remove(&self, key: T::Key, is_it: impl Fn(&T) -> bool) {
        let hash = self.hasher.hash_one(key);
        let mut table = self.table(hash);
        if let Ok(entry) = table.find_entry(hash, |group| group.key() == Some(key)) {
            replace(entry, |group| group.without(is_it));
        }
        if table.capacity() > SMALL && table.len() < table.capacity() / 4 {
            let room = table.len() * 2;
            table.shrink_to(room, |group| self.hash(group));
        }
    }

    /// Looks at the values of `key`, where there are any. None of them comes or goes meanwhile, so `look` must not come
    /// back to this table.
    pub(crate) fn look<R>(&self, key: T::Key, look: impl FnOnce(&[T]) -> R) -> Option<R> {
        let hash = self.hasher.hash_one(key);
        let table = self.table(hash);
        table.find(hash, |group| group.key() == Some(key)).map(|group| look(group.members()))
    }

    /// All values; those of one lock after those of another, so that nobody waits for all.
    pub(crate) fn iter(&self) -> impl Iterator<Item = T>
    where
        T: Clone,
    {
        let values = |table: &Mutex<HashTable<Group<T>>>| -> Vec<T> {
            table.lock().iter().flat_map(Group::members).cloned().collect()
        };
        self.tables.iter().flat_map(values)
    }

    /// The table itself chooses by the lowest and the highest bits.
    fn table(&self, hash: u64) -> MutexGuard<'_, HashTable<Group<T>>> {
        self.tables[(hash >> 32) as usize % SHARDS].lock()
    }

    fn hash(&self, group: &Group<T>) -> u64 {
        group.key().map_or(0, |key| self.hasher.hash_one(key))
    }
}

fn replace<T>(entry: OccupiedEntry<'_, Group<T>>, change: impl FnOnce(Group<T>) -> Option<Group<T>>) {
    let (group, vacant) = entry.remove();
    if let Some(group) = change(group) {
        vacant.insert(group);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A key, and which one of those with the same key.
    type Value = (u32, u32);

    impl Keyed for Value {
        type Key = u32;

        fn key(&self) -> u32 {
            self.0
        }
    }

    fn room(shards: &Shards<Value>) -> usize {
        shards.tables.iter().map(|table| table.lock().capacity()).sum()
    }

    #[test]
    fn values_of_a_key_are_together_until_each_is_taken_out() {
        let shards = Shards::default();
        for value in [(1, 1), (2, 1), (1, 2), (1, 3)] {
            shards.insert(value);
        }
        assert_eq!(shards.look(1, <[Value]>::to_vec), Some(vec![(1, 1), (1, 2), (1, 3)]));
        assert_eq!(shards.insert_if((1, 4), |others| Err(others.len())), Err(3));
        shards.remove(1, |value| value.1 == 2);
        assert_eq!(shards.iter().collect::<BTreeSet<_>>(), BTreeSet::from([(1, 1), (1, 3), (2, 1)]));
        shards.remove(1, |_| true);
        assert_eq!(shards.look(1, <[Value]>::len), None);
        assert_eq!(shards.insert_if((3, 1), |others| Err(others.len())), Err(0));
        assert_eq!(shards.iter().collect::<Vec<_>>(), [(2, 1)]);
    }

    #[test]
    fn when_a_crowd_leaves_its_room_is_given_back() {
        let shards = Shards::default();
        (0..100_000).for_each(|key| shards.insert((key, 0)));
        assert!(room(&shards) >= 100_000);
        (0..100_000).for_each(|key| shards.remove(key, |_| true));
        assert!(room(&shards) <= 2 * SHARDS * SMALL, "{}", room(&shards));
        assert_eq!(shards.iter().count(), 0);
    }
}
