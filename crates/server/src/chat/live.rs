//! The open connections of conversations, for looking again at who may be there.

use std::{collections::HashSet, sync::Arc};

use holodrive_protocol::{ConversationId, UserId};

use crate::{
    gateway::{Connection, ConnectionId},
    shards::{Keyed, Shards},
};

/// All open chat connections of this node.
#[derive(Default)]
pub(super) struct Live(Shards<Seat>);

/// A connection in a conversation.
#[derive(Clone)]
pub(super) struct Seat {
    pub(super) conversation_id: ConversationId,
    pub(super) connection: Arc<Connection>,
}

impl Keyed for Seat {
    type Key = ConnectionId;

    fn key(&self) -> ConnectionId {
        self.connection.id()
    }
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
        self.0.insert(seat);
        Seated { live: Arc::clone(self), id: connection.id() }
    }

    /// All connections.
    pub(super) fn all(&self) -> Vec<Seat> {
        self.0.iter().collect()
    }

    /// The connections of those who are members only as participants.
    pub(super) fn participants(&self) -> Vec<Seat> {
        self.0.iter().filter(|seat| !seat.connection.user().is_staff).collect()
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        self.live.0.remove(self.id, |_| true);
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
