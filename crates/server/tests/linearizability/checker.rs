//! Whether what clients saw of one thing can be explained by its steps having happened one after another, each at some
//! moment between its call and its answer: linearizability, by the algorithm of Wing and Gong with Lowe's memory.

use std::{collections::HashSet, hash::Hash};

/// How the thing behaves when only one thing happens at a time.
pub(crate) trait Model {
    /// What is called, with its answer.
    type Step: Clone + std::fmt::Debug;

    /// How it may stand after a step that gave this answer; nothing when it cannot have given it.
    fn after(&self, step: &Self::Step) -> Vec<Self>
    where
        Self: Sized;
}

/// One call and its answer. The numbers count all calls and answers of the history, in the order in which they happened.
#[derive(Clone, Debug)]
pub(crate) struct Operation<S> {
    pub(crate) called: u64,
    pub(crate) answered: u64,
    pub(crate) step: S,
}

/// Operations that a history may have at the most.
pub(crate) const OPERATIONS: usize = u128::BITS as usize;

/// Whether there is an order of the operations that explains all answers.
pub(crate) fn is_linearizable<M: Model + Clone + Eq + Hash>(start: M, history: &[Operation<M::Step>]) -> bool {
    assert!(history.len() <= OPERATIONS, "the history is too long");
    let (mut tried, mut open) = (HashSet::new(), vec![(0_u128, start)]);
    while let Some((done, model)) = open.pop() {
        let waiting = || history.iter().enumerate().filter(|(index, _)| done >> index & 1 == 0);
        let Some(first_answer) = waiting().map(|(_, operation)| operation.answered).min() else { return true };
        // Whatever was called after that answer comes after that operation.
        for (index, operation) in waiting().filter(|(_, operation)| operation.called < first_answer) {
            for next in model.after(&operation.step) {
                let reached = (done | 1 << index, next);
                if tried.insert(reached.clone()) {
                    open.push(reached);
                }
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A place for one number.
    #[derive(Clone, Copy, PartialEq, Eq, Hash)]
    struct Register(u32);

    #[derive(Clone, Copy, Debug)]
    enum Access {
        Write(u32),
        Read(u32),
    }

    impl Model for Register {
        type Step = Access;

        fn after(&self, step: &Access) -> Vec<Self> {
            match *step {
                Access::Write(value) => vec![Self(value)],
                Access::Read(value) if value == self.0 => vec![*self],
                Access::Read(_) => Vec::new(),
            }
        }
    }

    fn explains(history: &[(u64, u64, Access)]) -> bool {
        let operation = |&(called, answered, step)| Operation { called, answered, step };
        is_linearizable(Register(0), &history.iter().map(operation).collect::<Vec<_>>())
    }

    use Access::{Read, Write};

    #[test]
    fn one_after_another() {
        assert!(explains(&[]));
        assert!(explains(&[(0, 1, Read(0)), (2, 3, Write(1)), (4, 5, Read(1))]));
        assert!(!explains(&[(0, 1, Write(1)), (2, 3, Read(0))]), "a stale read");
        assert!(!explains(&[(0, 1, Read(1)), (2, 3, Write(1))]), "a read of the future");
    }

    #[test]
    fn what_overlaps_may_have_happened_in_any_order() {
        assert!(explains(&[(0, 3, Write(1)), (1, 2, Read(0))]));
        assert!(explains(&[(0, 3, Write(1)), (1, 2, Read(1))]));
        assert!(explains(&[(0, 5, Write(1)), (1, 4, Write(2)), (2, 3, Read(1)), (6, 7, Read(2))]));
        assert!(explains(&[(0, 5, Write(1)), (1, 4, Write(2)), (2, 3, Read(1)), (6, 7, Read(1))]));
        assert!(!explains(&[(0, 5, Write(1)), (1, 4, Write(2)), (6, 7, Read(1)), (8, 9, Read(2))]), "it changed alone");
    }

    #[test]
    fn what_one_reader_has_seen_another_does_not_see_undone() {
        assert!(explains(&[(0, 9, Write(1)), (1, 2, Read(0)), (3, 4, Read(1))]));
        assert!(!explains(&[(0, 9, Write(1)), (1, 2, Read(1)), (3, 4, Read(0))]));
    }

    #[test]
    fn a_long_history_is_judged_in_time() {
        // Eight writers at a time, sixteen times; nobody ever wrote 99.
        let mut history: Vec<_> = (0..16)
            .flat_map(|round| (0..7).map(move |writer| (100 * round + writer, 100 * round + 50 + writer, Write(7))))
            .collect();
        assert!(explains(&history));
        history.push((1_595, 1_599, Read(99)));
        assert!(!explains(&history));
    }
}
