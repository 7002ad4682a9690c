use std::{collections::HashMap, sync::Arc};

use holodrive_protocol::ConversationId;
use parking_lot::Mutex;
use tokio::sync::{Mutex as Lock, MutexGuard};

/// Lets one after another do something in a conversation, in the order in which they come.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<ConversationId, Arc<Lock<()>>>>);

/// A place in the line of a conversation.
pub(super) struct Place<'t> {
    turns: &'t Turns,
    id: ConversationId,
    lock: Arc<Lock<()>>,
}

impl Turns {
    pub(super) fn place(&self, id: ConversationId) -> Place<'_> {
        let lock = Arc::clone(self.0.lock().entry(id).or_default());
        Place { turns: self, id, lock }
    }
}

impl Place<'_> {
    /// Waits until it is his turn, which lasts until the guard is dropped.
    pub(super) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.lock.lock().await
    }
}

impl Drop for Place<'_> {
    /// The last one of a conversation takes its line away.
    fn drop(&mut self) {
        let mut lines = self.turns.0.lock();
        if Arc::strong_count(&self.lock) == 2 {
            lines.remove(&self.id);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn one_after_another_in_a_conversation_and_beside_others() {
        let turns = Turns::default();
        let (first, second, elsewhere) = (turns.place(1), turns.place(1), turns.place(2));
        let turn = first.turn().now_or_never().unwrap();
        assert!(second.turn().now_or_never().is_none());
        assert!(elsewhere.turn().now_or_never().is_some());
        drop(turn);
        assert!(second.turn().now_or_never().is_some());
    }

    #[test]
    fn nothing_is_left_of_those_who_are_done_or_gave_up() {
        let turns = Turns::default();
        let (first, second) = (turns.place(1), turns.place(1));
        drop(first);
        assert!(turns.0.lock().contains_key(&1));
        drop(second);
        assert!(turns.0.lock().is_empty());
    }
}
