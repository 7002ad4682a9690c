//! The SQL of conversations and messages.

mod conversations;
mod messages;

pub(super) use conversations::{
    Roster, add_participants, conversation_ids, conversations, insert_conversation, open_support, participants,
    participates, remove_participant, roster,
};
pub(super) use messages::{
    NewMessage, after, between, by_client_id, exists, has_message_from_support, insert_message, mark_read,
};
