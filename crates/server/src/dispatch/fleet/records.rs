//! What is known of each driver, in one piece of memory; a small table finds it by the driver's key.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};
use holodrive_protocol::UserId;
use slab::Slab;

use super::{Standing, driver::Driver};

/// A driver's key, and where his record is. In the order of the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Known {
    pub(super) id: UserId,
    pub(super) index: u32,
}

/// What is known of a driver.
#[derive(Debug)]
pub(super) struct Record {
    id: UserId,
    pub(super) standing: Standing,
    pub(super) driver: Driver,
}

/// All that is known.
#[derive(Debug, Default)]
pub(super) struct Records {
    records: Slab<Record>,
    indexes: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Records {
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) fn get(&self, known: Known) -> &Record {
        &self.records[known.index as usize]
    }

    pub(super) fn get_mut(&mut self, known: Known) -> &mut Record {
        &mut self.records[known.index as usize]
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Known, &mut Record)> {
        self.records.iter_mut().map(|(index, record)| (known(record.id, index), record))
    }

    /// Whose record is there.
    pub(super) fn known(&self, index: u32) -> Known {
        Known { id: self.records[index as usize].id, index }
    }

    pub(super) fn find(&self, id: UserId) -> Option<Known> {
        let is_his = |index: &u32| self.records[*index as usize].id == id;
        self.indexes.find(self.hasher.hash_one(id), is_his).map(|index| Known { id, index: *index })
    }

    /// A driver of whom nothing is known yet is away.
    pub(super) fn find_or_add(&mut self, id: UserId) -> Known {
        self.find(id).unwrap_or_else(|| self.add(id))
    }

    fn add(&mut self, id: UserId) -> Known {
        let Self { records, indexes, hasher } = self;
        let index = records.insert(Record { id, standing: Standing::Away, driver: Driver::default() });
        let known = known(id, index);
        indexes.insert_unique(hasher.hash_one(id), known.index, |index| hasher.hash_one(records[*index as usize].id));
        known
    }

    pub(super) fn remove(&mut self, known: Known) {
        if let Ok(found) = self.indexes.find_entry(self.hasher.hash_one(known.id), |index| *index == known.index) {
            found.remove();
            self.records.remove(known.index as usize);
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the memory ends long before")]
const fn known(id: UserId, index: usize) -> Known {
    Known { id, index: index as u32 }
}
