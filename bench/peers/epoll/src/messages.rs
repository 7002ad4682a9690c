//! The messages, as clients and server write them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// What a client sends.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Received<'a> {
    Ping,
    ChatMessage {
        #[serde(borrow)]
        message: Cow<'a, str>,
    },
    Typing {
        is_typing: bool,
    },
}

/// What the server sends.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Sent<'a> {
    Pong,
    ConnectionEstablished {
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        conversation_id: Option<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        user_id: Option<String>,
    },
    ChatMessage {
        message: &'a str,
        sender_id: i64,
        sender_name: &'a str,
        is_from_support: bool,
        created_at: &'a str,
        message_id: i64,
        conversation_id: i64,
    },
    Typing {
        is_typing: bool,
        user: i64,
        user_name: &'a str,
    },
}

/// A chat message that is to be stored, if anything is, and sent.
pub(crate) struct Said {
    pub(crate) conversation: i64,
    pub(crate) sender: i64,
    pub(crate) sender_name: String,
    pub(crate) text: String,
    pub(crate) created_at: String,
}
