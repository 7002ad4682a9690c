//! Whether what clients saw of one thing can be explained by its steps having happened one after another, each at some
//! moment between its call and its answer: linearizability, by the algorithm of Wing and Gong with Lowe's memory.

use std::{collections::HashSet, hash::Hash};

/// How the thing behaves when only one thing happens at a time.
pub(crate) trait Model {
    /// How it may stand.
    type State: Clone + Eq + Hash;
    /// What is called, with its answer.
    type Step;

    /// How it stands at first.
    fn start(&self) -> Self::State;

    /// How it stands after a step that gave this answer; nothing when it cannot have given it.
    fn after(&self, state: &Self::State, step: &Self::Step) -> Option<Self::State>;

    /// Whether a step with this answer never changes anything, wherever it happens.
    fn is_read(step: &Self::Step) -> bool;

    /// How it may stand next, though nobody has called.
    fn alone(&self, _state: &Self::State) -> Vec<Self::State> {
        Vec::new()
    }

    /// Whether it may stand like this once all calls are answered.
    fn may_end(&self, _state: &Self::State) -> bool {
        true
    }
}

/// One call and its answer. The numbers count all calls and answers of the history, in the order in which they happened.
#[derive(Clone, Debug)]
pub(crate) struct Operation<S> {
    pub(crate) called: u64,
    pub(crate) answered: u64,
    pub(crate) step: S,
}

/// Operations that a history may have at the most: each is one bit of those that are done.
const OPERATIONS: usize = u128::BITS as usize;

/// Ways to stand that are tried at the most, which takes seconds. A round takes some hundreds.
const TRIES: usize = 200_000;

/// Whether there is an order of the operations that explains all answers.
///
/// # Panics
/// When the history is too long, or has too many orders to be judged: then nothing is known of it.
pub(crate) fn is_linearizable<M: Model>(model: &M, history: &[Operation<M::Step>]) -> bool {
    judge(model, history, TRIES).expect("the history has too many orders to be judged: it is neither right nor wrong")
}

/// Nothing when it took more than so many tries.
fn judge<M: Model>(model: &M, history: &[Operation<M::Step>], limit: usize) -> Option<bool> {
    assert!(history.len() <= OPERATIONS, "the history is too long: {} operations", history.len());
    let (mut tried, mut open) = (HashSet::new(), vec![(0_u128, model.start())]);
    while let Some((done, state)) = open.pop() {
        if done.count_ones() as usize == history.len() && model.may_end(&state) {
            return Some(true);
        }
        for reached in reachable(model, history, done, &state) {
            if tried.insert(reached.clone()) {
                open.push(reached);
            }
        }
        if tried.len() > limit {
            return None;
        }
    }
    Some(false)
}

/// Every way to go on: what is done then, and how the thing stands.
fn reachable<M: Model>(
    model: &M,
    history: &[Operation<M::Step>],
    done: u128,
    state: &M::State,
) -> Vec<(u128, M::State)> {
    let waiting = || history.iter().enumerate().filter(|(index, _)| done >> index & 1 == 0);
    let first_answer = waiting().map(|(_, operation)| operation.answered).min().unwrap_or(u64::MAX);
    let mut reachable: Vec<_> = model.alone(state).into_iter().map(|next| (done, next)).collect();
    // Whatever was called after that answer comes after that operation.
    for (index, operation) in waiting().filter(|(_, operation)| operation.called < first_answer) {
        let Some(next) = model.after(state, &operation.step) else { continue };
        // What never changes anything may as well happen now: nothing comes to pass because of it, and nothing is in its way.
        if M::is_read(&operation.step) {
            return vec![(done | 1 << index, next)];
        }
        reachable.push((done | 1 << index, next));
    }
    reachable
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A place for one number, at first 0.
    struct Register;

    #[derive(Clone, Copy, Debug)]
    enum Access {
        Write(u32),
        Read(u32),
    }

    impl Model for Register {
        type State = u32;
        type Step = Access;

        fn start(&self) -> u32 {
            0
        }

        fn after(&self, state: &u32, step: &Access) -> Option<u32> {
            match *step {
                Access::Write(value) => Some(value),
                Access::Read(value) => (value == *state).then_some(value),
            }
        }

        fn is_read(step: &Access) -> bool {
            matches!(step, Access::Read(_))
        }
    }

    /// It counts by itself up to a number, and must have come there in the end.
    struct Counter(u32);

    impl Model for Counter {
        type State = u32;
        type Step = u32;

        fn start(&self) -> u32 {
            0
        }

        fn after(&self, state: &u32, read: &u32) -> Option<u32> {
            (read == state).then_some(*state)
        }

        fn is_read(_: &u32) -> bool {
            true
        }

        fn alone(&self, state: &u32) -> Vec<u32> {
            (*state < self.0).then_some(state + 1).into_iter().collect()
        }

        fn may_end(&self, state: &u32) -> bool {
            *state == self.0
        }
    }

    fn history<S: Copy>(operations: &[(u64, u64, S)]) -> Vec<Operation<S>> {
        operations.iter().map(|&(called, answered, step)| Operation { called, answered, step }).collect()
    }

    fn explains(operations: &[(u64, u64, Access)]) -> bool {
        is_linearizable(&Register, &history(operations))
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
        assert!(explains(&[(0, 9, Write(0)), (1, 2, Write(1)), (3, 4, Read(1)), (5, 6, Read(0))]), "not at once");
        assert!(!explains(&[(0, 5, Write(1)), (1, 4, Write(2)), (6, 7, Read(1)), (8, 9, Read(2))]), "it changed alone");
    }

    #[test]
    fn what_one_reader_has_seen_another_does_not_see_undone() {
        assert!(explains(&[(0, 9, Write(1)), (1, 2, Read(0)), (3, 4, Read(1))]));
        assert!(!explains(&[(0, 9, Write(1)), (1, 2, Read(1)), (3, 4, Read(0))]));
    }

    #[test]
    fn what_happens_alone_happens_between_calls_and_must_have_happened_in_the_end() {
        let counts = |limit, reads: &[_]| is_linearizable(&Counter(limit), &history(reads));
        assert!(counts(9, &[(0, 1, 3), (2, 3, 3), (4, 5, 7)]));
        assert!(!counts(9, &[(0, 1, 3), (2, 3, 2)]));
        assert!(!counts(9, &[(0, 1, 10)]));
    }

    /// Seven writers at a time, sixteen times; nobody ever wrote 99.
    fn long_and_wrong() -> Vec<(u64, u64, Access)> {
        let mut operations: Vec<_> = (0..16)
            .flat_map(|round| (0..7).map(move |writer| (100 * round + writer, 100 * round + 50 + writer, writer)))
            .map(|(called, answered, writer)| (called, answered, Write(u32::try_from(writer).unwrap())))
            .collect();
        assert!(explains(&operations));
        operations.push((1_595, 1_599, Read(99)));
        operations
    }

    #[test]
    fn a_long_history_is_judged_in_time() {
        assert!(!explains(&long_and_wrong()));
    }

    #[test]
    fn what_cannot_be_judged_in_time_is_neither_right_nor_wrong() {
        assert_eq!(judge(&Register, &history(&long_and_wrong()), 100), None);
    }
}
