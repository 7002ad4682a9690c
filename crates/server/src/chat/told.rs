use std::collections::{HashMap, VecDeque};

use holodrive_protocol::{ConversationId, UserId, chat::ChatMessage};
use parking_lot::Mutex;

/// So many messages are remembered.
const REMEMBERED: usize = 1_000;

/// The last messages with a `client_id` that everybody was told, on whichever node they were sent.
#[derive(Default)]
pub(super) struct Told(Mutex<Memory>);

type Key = (ConversationId, UserId, String);

#[derive(Default)]
struct Memory {
    messages: HashMap<Key, ChatMessage>,
    /// The oldest first.
    keys: VecDeque<Key>,
}

impl Told {
    /// The message as it was told, where this one has the same key of the back end and of the sender.
    pub(super) fn before(&self, message: &ChatMessage) -> Option<ChatMessage> {
        let told = self.0.lock().messages.get(&key(message)?)?.clone();
        (told.message_id == message.message_id).then_some(told)
    }

    pub(super) fn remember(&self, message: &ChatMessage) {
        let Some(key) = key(message) else { return };
        let mut memory = self.0.lock();
        if memory.messages.insert(key.clone(), message.clone()).is_none() {
            memory.keys.push_back(key);
        }
        if memory.keys.len() > REMEMBERED
            && let Some(oldest) = memory.keys.pop_front()
        {
            memory.messages.remove(&oldest);
        }
    }
}

fn key(message: &ChatMessage) -> Option<Key> {
    Some((message.conversation_id, message.sender_id, message.client_id.clone()?))
}

#[cfg(test)]
mod tests {
    use holodrive_protocol::Timestamp;

    use super::*;

    fn message(message_id: i64, client_id: Option<&str>) -> ChatMessage {
        ChatMessage {
            message: message_id.to_string(),
            sender_id: UserId::Int(1),
            sender_name: "Ann".to_owned(),
            is_from_support: false,
            created_at: Timestamp::from_micros(0),
            message_id,
            conversation_id: 1,
            client_id: client_id.map(str::to_owned),
        }
    }

    #[test]
    fn a_message_is_known_by_both_of_its_keys() {
        let told = Told::default();
        told.remember(&message(1, Some("a")));
        told.remember(&message(2, None));
        assert_eq!(
            told.before(&ChatMessage { message: "other".into(), ..message(1, Some("a")) }),
            Some(message(1, Some("a")))
        );
        for other in [message(2, Some("a")), message(1, Some("b")), message(2, None)] {
            assert_eq!(told.before(&other), None);
        }
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let told = Told::default();
        for id in 0..=1_000 {
            told.remember(&message(id, Some(&id.to_string())));
        }
        assert_eq!(told.before(&message(0, Some("0"))), None);
        assert!(told.before(&message(1, Some("1"))).is_some());
        assert_eq!(told.0.lock().messages.len(), REMEMBERED);
    }
}
