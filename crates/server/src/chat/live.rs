//! The open connections of conversations, for looking again at who may be there.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use holodrive_protocol::{ConversationId, UserId};
use parking_lot::Mutex;

use crate::gateway::{Connection, ConnectionId};

/// All open chat connections of this node.
#[derive(Default)]
pub(super) struct Live(Mutex<HashMap<ConnectionId, Seat>>);

/// A connection in a conversation.
#[derive(Clone)]
pub(super) struct Seat {
    pub(super) conversation_id: ConversationId,
    pub(super) connection: Arc<Connection>,
}

/// A connection's entry; dropping it takes it out.
pub(super) struct Seated {
    live: Arc<Live>,
    id: ConnectionId,
}

impl Live {
    /// Enters a connection.
    pub(super) fn enter(self: &Arc<Self>, conversation_id: ConversationId, connection: &Arc<Connection>) -> Seated {
        let seat = Seat { conversation_id, connection: Arc::clone(connection) };
        self.0.lock().insert(connection.id(), seat);
        Seated { live: Arc::clone(self), id: connection.id() }
    }

    /// The connections of those who are members only as participants.
    pub(super) fn participants(&self) -> Vec<Seat> {
        self.0.lock().values().filter(|seat| !seat.connection.user().is_staff).cloned().collect()
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        self.live.0.lock().remove(&self.id);
    }
}

/// The conversations of some connections, each once.
pub(super) fn conversations(seats: &[Seat]) -> Vec<ConversationId> {
    seats.iter().map(|seat| seat.conversation_id).collect::<HashSet<_>>().into_iter().collect()
}

impl Seat {
    /// Where who sits.
    pub(super) fn place(&self) -> (ConversationId, UserId) {
        (self.conversation_id, self.connection.user_id())
    }
}
