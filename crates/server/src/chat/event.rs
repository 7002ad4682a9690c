//! What the connections of a conversation hear of.

use std::sync::Arc;

use holodrive_protocol::{
    ConversationId, MessageId, UserId,
    chat::{ChatMessage, ChatServerMessage},
};
use serde::{Deserialize, Serialize};

use crate::{
    fanout::{Hub, Sequenced, Subscriber},
    gateway::{Close, Connection, Frame, TransientKey},
};

/// Something that happened in a conversation; its message is encoded once for all connections.
#[derive(Clone, Debug)]
pub enum ChatEvent {
    /// A stored message.
    Message {
        /// Its id.
        id: MessageId,
        /// The message.
        frame: Frame,
    },
    /// Somebody has read a message.
    Read(Frame),
    /// A user is typing, or stopped; it is not for his own connections.
    Typing {
        /// Who.
        user_id: UserId,
        /// The message.
        frame: Frame,
    },
    /// This user no longer takes part.
    Removed(UserId),
}

impl Sequenced for ChatEvent {
    fn position(&self) -> Option<i64> {
        match self {
            Self::Message { id, .. } => Some(*id),
            Self::Read(_) | Self::Typing { .. } | Self::Removed(_) => None,
        }
    }

    fn is_transient(&self) -> bool {
        matches!(self, Self::Typing { .. })
    }
}

/// What the database holds of conversations since a moment ago; every node hears of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ChatFact {
    Posted(ChatMessage),
    Read { conversation_id: ConversationId, message_id: MessageId, read_by: UserId },
    Removed { conversation_id: ConversationId, user_id: UserId },
}

impl ChatFact {
    /// What connections are told of it, where that is a message of its own.
    pub(super) fn message(&self) -> Option<ChatServerMessage> {
        match self {
            Self::Posted(message) => Some(ChatServerMessage::ChatMessage(message.clone())),
            Self::Read { message_id, read_by, .. } => {
                Some(ChatServerMessage::MessageRead { message_id: *message_id, read_by: *read_by })
            }
            Self::Removed { .. } => None,
        }
    }

    pub(super) const fn conversation_id(&self) -> ConversationId {
        match self {
            Self::Posted(message) => message.conversation_id,
            Self::Read { conversation_id, .. } | Self::Removed { conversation_id, .. } => *conversation_id,
        }
    }

    /// Tells the connections of this node; encodes only where somebody listens.
    pub(super) fn tell(self, hub: &Hub<ConversationId, ChatEvent>) {
        hub.publish_with(&self.conversation_id(), || self.into());
    }
}

impl From<ChatFact> for ChatEvent {
    fn from(fact: ChatFact) -> Self {
        match fact {
            ChatFact::Posted(message) => Self::Message { id: message.message_id, frame: message_frame(message) },
            ChatFact::Read { message_id, read_by, .. } => Self::Read(read_frame(message_id, read_by)),
            ChatFact::Removed { user_id, .. } => Self::Removed(user_id),
        }
    }
}

/// Hands the events of a conversation to one connection.
pub(super) struct Listener(pub(super) Arc<Connection>);

impl Subscriber<ChatEvent> for Listener {
    fn deliver(&self, event: &ChatEvent) {
        match event {
            ChatEvent::Message { frame, .. } | ChatEvent::Read(frame) => self.0.send(frame.clone()),
            ChatEvent::Typing { user_id, frame } => {
                self.0.send_transient_of(*user_id, transient_key(*user_id), frame);
            }
            ChatEvent::Removed(user_id) if *user_id == self.0.user_id() && !self.0.user().is_staff => {
                self.0.close(not_a_member());
            }
            ChatEvent::Removed(_) => {}
        }
    }

    fn lost(&self) {
        self.0.close(Close::slow_consumer());
    }
}

/// What everybody is told who may not be in a conversation, whether it exists or not.
pub(super) fn not_a_member() -> Close {
    Close::forbidden("there is no such conversation, or you are not a member of it")
}

/// A stored message, ready to be sent.
pub(super) fn message_frame(message: ChatMessage) -> Frame {
    Frame::json(&ChatServerMessage::ChatMessage(message))
}

/// Tells that somebody has read a message.
pub(super) fn read_frame(message_id: MessageId, read_by: UserId) -> Frame {
    Frame::json(&ChatServerMessage::MessageRead { message_id, read_by })
}

/// What a user types replaces only what he typed before.
#[expect(clippy::cast_possible_truncation, reason = "half of a random UUID still names it")]
fn transient_key(user_id: UserId) -> TransientKey {
    match user_id {
        UserId::Int(id) => id,
        UserId::Uuid(id) => id.as_u128() as i64,
    }
}
