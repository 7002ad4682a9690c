//! What is going to happen, in the order of time.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

use holodrive_protocol::Timestamp;

/// Events that wait for their moment. Of those for the same moment the one that was added first comes first, so that a run
/// can be repeated exactly.
#[derive(Debug)]
pub(crate) struct Events<E> {
    order: BinaryHeap<Reverse<(Timestamp, u64)>>,
    events: BTreeMap<u64, E>,
    added: u64,
}

impl<E> Default for Events<E> {
    fn default() -> Self {
        Self { order: BinaryHeap::new(), events: BTreeMap::new(), added: 0 }
    }
}

impl<E> Events<E> {
    pub(crate) fn add(&mut self, at: Timestamp, event: E) {
        self.added += 1;
        self.order.push(Reverse((at, self.added)));
        self.events.insert(self.added, event);
    }

    /// When the next one happens.
    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        self.order.peek().map(|Reverse((at, _))| *at)
    }

    /// The next one that happens at this moment or before.
    pub(crate) fn due(&mut self, now: Timestamp) -> Option<E> {
        self.next_at().filter(|at| *at <= now)?;
        let Reverse((_, number)) = self.order.pop()?;
        self.events.remove(&number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::moment::at;

    #[test]
    fn events_come_in_the_order_of_time_and_then_of_adding() {
        let mut events = Events::default();
        for (time, name) in [(5, "c"), (1, "a"), (5, "d"), (1, "b")] {
            events.add(at(time), name);
        }
        assert_eq!(events.next_at(), Some(at(1)));
        assert_eq!(events.due(at(0)), None);
        let all: Vec<_> = std::iter::from_fn(|| events.due(at(5))).collect();
        assert_eq!(all, ["a", "b", "c", "d"]);
        assert_eq!(events.next_at(), None);
    }
}
