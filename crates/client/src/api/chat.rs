//! Conversations and their messages.

use holodrive_protocol::{
    ConversationId, MessageId, UserId,
    chat::{ChatMessage, Conversation, ConversationKind},
    http::{CreateConversation, Page, SendMessage},
};

use super::{Api, PageOf, call::Call};
use crate::Error;

impl Api {
    /// One's open conversation with support; made when there is none.
    pub async fn support_conversation(&self) -> Result<Conversation, Error> {
        let body = CreateConversation { kind: Some(ConversationKind::Support), participant_ids: None };
        self.fetch(Call::post("/api/conversations/").json(&body)).await
    }

    /// Brings users together, as staff or a back end.
    pub async fn create_conversation(&self, participant_ids: Vec<UserId>) -> Result<Conversation, Error> {
        let body = CreateConversation { kind: None, participant_ids: Some(participant_ids) };
        self.fetch(Call::post("/api/conversations/").json(&body)).await
    }

    /// One's conversations; for staff everybody's.
    pub async fn conversations(&self, page: &PageOf) -> Result<Page<Conversation>, Error> {
        self.fetch(Call::get("/api/conversations/").query(page.pairs())).await
    }

    /// The newest messages first.
    pub async fn messages(&self, id: ConversationId, page: &PageOf) -> Result<Page<ChatMessage>, Error> {
        self.fetch(Call::get(messages(id)).query(page.pairs())).await
    }

    /// Messages older than one, newest first.
    pub async fn messages_before(&self, id: ConversationId, than: MessageId) -> Result<Page<ChatMessage>, Error> {
        self.fetch(Call::get(messages(id)).query([("before", than.to_string())])).await
    }

    /// Messages newer than one, newest first.
    pub async fn messages_after(&self, id: ConversationId, than: MessageId) -> Result<Page<ChatMessage>, Error> {
        self.fetch(Call::get(messages(id)).query([("after", than.to_string())])).await
    }

    /// Stores a message and sends it to the conversation.
    pub async fn send_message(&self, id: ConversationId, message: &SendMessage) -> Result<ChatMessage, Error> {
        self.fetch(Call::post(messages(id)).json(message)).await
    }
}

fn messages(id: ConversationId) -> String {
    format!("/api/conversations/{id}/messages/")
}
