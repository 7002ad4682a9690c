use std::{collections::HashSet, sync::Arc};

use parking_lot::Mutex;

/// Lists that are kept, beyond those in use.
const LISTS_MAX: usize = 1_000;

/// Lists of groups, each of them once in memory: most users are in the same few groups.
#[derive(Default)]
pub(super) struct GroupLists(Mutex<HashSet<Arc<[String]>>>);

impl GroupLists {
    /// The list with these names.
    pub(super) fn shared(&self, names: Vec<String>) -> Arc<[String]> {
        let mut lists = self.0.lock();
        if let Some(list) = lists.get(names.as_slice()) {
            return Arc::clone(list);
        }
        if lists.len() >= LISTS_MAX {
            lists.retain(|list| Arc::strong_count(list) > 1);
        }
        let list: Arc<[String]> = names.into();
        lists.insert(Arc::clone(&list));
        list
    }

    /// The list without names.
    pub(super) fn none(&self) -> Arc<[String]> {
        self.shared(Vec::new())
    }
}
