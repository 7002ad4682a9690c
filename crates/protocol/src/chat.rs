//! `/ws/chat/{conversation_id}/`: chat between rider, driver and support.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ConversationId, MessageId, OrderId, Timestamp, UserId, socket::ClientMessage};

/// The longest text of a message, in characters.
pub const MESSAGE_CHARS_MAX: usize = 4_000;
/// The longest `client_id`, in characters.
pub const CLIENT_ID_CHARS_MAX: usize = 64;

/// A stored chat message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChatMessage {
    /// The text, as it was sent.
    pub message: String,
    /// Who sent it.
    pub sender_id: UserId,
    /// First and last name, or the username where both are empty.
    pub sender_name: String,
    /// Whether the sender is staff.
    pub is_from_support: bool,
    /// When it was stored.
    pub created_at: Timestamp,
    /// Grows in the order in which everybody sees the messages.
    pub message_id: MessageId,
    /// Where it was sent.
    pub conversation_id: ConversationId,
    /// What the sender gave to recognise his message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
}

/// Messages of the server on `/ws/chat/{conversation_id}/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ChatServerMessage {
    /// Always the first message.
    ConnectionEstablished {
        /// `Connected to chat`.
        message: String,
        /// Which conversation.
        conversation_id: ConversationId,
    },
    /// A message, after it was stored; the sender's own connections get it too.
    ChatMessage(ChatMessage),
    /// Another participant is typing, or stopped.
    Typing {
        /// Whether he is typing.
        is_typing: bool,
        /// Who.
        user: UserId,
        /// His name.
        user_name: String,
    },
    /// Somebody has read up to a message.
    MessageRead {
        /// Which message.
        message_id: MessageId,
        /// Who read it.
        read_by: UserId,
    },
}

/// Messages of the client on `/ws/chat/{conversation_id}/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ChatClientMessage {
    /// A text for the conversation.
    ChatMessage {
        /// 1 to 4,000 characters.
        message: String,
        /// Up to 64 characters; sending the same again gets the first message back and stores nothing new.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client_id: Option<String>,
    },
    /// The user is typing, or stopped.
    Typing {
        /// Whether he is typing.
        is_typing: bool,
    },
    /// Stores that the user has read a message, and tells the conversation.
    ReadMessage {
        /// Which one.
        message_id: MessageId,
    },
}

impl ClientMessage for ChatClientMessage {
    const TYPES: &'static [&'static str] = &["chat_message", "typing", "read_message"];
}

/// What a conversation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConversationKind {
    /// A user and the support staff.
    Support,
    /// The rider and the driver of an order.
    Order,
    /// Participants that staff or a back end brought together.
    Direct,
}

/// A conversation, as the HTTP API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Conversation {
    /// Its key, for `/ws/chat/{id}/`.
    pub id: ConversationId,
    /// What it is for.
    pub kind: ConversationKind,
    /// The order that it belongs to.
    pub order_id: Option<OrderId>,
    /// Who takes part; staff may read and write everywhere without being listed.
    pub participant_ids: Vec<UserId>,
    /// When it began.
    pub created_at: Timestamp,
    /// The newest message.
    pub last_message: Option<ChatMessage>,
}
