//! `/ws/chat/{conversation_id}/`.

use std::{collections::HashSet, sync::Arc};

use holodrive_protocol::{
    ConversationId, MessageId,
    chat::{ChatClientMessage, ChatServerMessage},
    socket::{CommonServerMessage, ErrorCode, ErrorMessage},
};

use super::{
    Chat, ChatError, ChatEvent, Draft,
    event::{Listener, message_frame, not_a_member, read_frame},
    live::{self, Seated},
    store,
};
use crate::{
    fanout::Subscription,
    gateway::{Close, Connection, Endpoint, Frame, Opening, Session},
    hooks::{Hook, PostMessage, ReadMessage},
    resume::{PAGE, Stored, begin},
    storage::Tx,
};

/// The endpoint `/ws/chat/{conversation_id}/`.
pub struct ChatEndpoint {
    chat: Arc<Chat>,
}

impl ChatEndpoint {
    /// Serves these conversations.
    pub fn new(chat: Arc<Chat>) -> Arc<Self> {
        Arc::new(Self { chat })
    }
}

/// One connection to a conversation.
pub struct ChatSession {
    chat: Arc<Chat>,
    connection: Arc<Connection>,
    conversation_id: ConversationId,
    since: Option<MessageId>,
    subscription: Subscription<ConversationId, ChatEvent, Listener>,
    _seated: Seated,
}

impl Endpoint for ChatEndpoint {
    type Session = ChatSession;

    const NAME: &'static str = "chat";

    async fn open(&self, connection: Arc<Connection>, opening: Opening) -> Result<Self::Session, Close> {
        let (chat, conversation_id) = (Arc::clone(&self.chat), opening.object_id);
        // It listens before it asks who is a member, so that a removal after the answer is heard.
        let subscription = chat.hub.subscribe(conversation_id, Listener(Arc::clone(&connection)));
        let seated = chat.live.enter(conversation_id, &connection);
        chat.let_in(conversation_id, connection.user()).await?;
        connection.send(Frame::json(&ChatServerMessage::ConnectionEstablished {
            message: "Connected to chat".into(),
            conversation_id,
        }));
        let since = opening.since;
        Ok(ChatSession { chat, connection, conversation_id, since, subscription, _seated: seated })
    }

    async fn recheck(&self) {
        if self.chat.back_end.hooks.access.is_some() {
            return self.chat.recheck_access();
        }
        let seats = self.chat.live.participants();
        let conversations = live::conversations(&seats);
        let members = self.chat.storage.read(move |tx| store::participants(tx, &conversations)).await;
        let members: HashSet<_> = match members {
            Ok(members) => members.into_iter().collect(),
            Err(error) => {
                tracing::warn!(%error, "members of live conversations cannot be checked");
                return;
            }
        };
        for seat in seats.into_iter().filter(|seat| !members.contains(&seat.place())) {
            seat.connection.close(not_a_member());
        }
    }
}

impl Session for ChatSession {
    type Message = ChatClientMessage;

    async fn opened(&self) {
        let since = match self.chat.back_end.hooks.message {
            Some(_) => self.skip_replay(),
            None => self.since,
        };
        begin(&self.connection, &self.subscription, since, |after| self.stored_after(after), |_| {}).await;
    }

    async fn message(&self, message: Self::Message) -> Result<(), ErrorMessage> {
        let done = match message {
            ChatClientMessage::ChatMessage { message, client_id } => {
                let draft = Draft::new(message, client_id)?;
                match &self.chat.back_end.hooks.message {
                    // Boxed, so that the usual future stays small.
                    Some(hook) => return Box::pin(self.hand_over(hook, draft)).await,
                    None => self.post(draft).await,
                }
            }
            ChatClientMessage::ReadMessage { message_id } => match &self.chat.back_end.hooks.read {
                Some(hook) => return Box::pin(self.hand_over_read(hook, message_id)).await,
                None => self.mark_read(message_id).await,
            },
            ChatClientMessage::Typing { is_typing } => {
                self.chat.typing(self.conversation_id, &self.connection.user(), is_typing);
                Ok(())
            }
        };
        done.or_else(|error| self.explain(error))
    }
}

impl ChatSession {
    async fn post(&self, draft: Draft) -> Result<(), ChatError> {
        let (chat, id, sender) = (Arc::clone(&self.chat), self.conversation_id, self.connection.user());
        let posted = self.chat.storage.write_unguarded(move |tx| chat.post_live(tx, id, &sender, &draft)).await?;
        if !posted.is_new {
            self.connection.send(message_frame(posted.message));
        }
        Ok(())
    }

    async fn hand_over(&self, hook: &Hook<PostMessage>, draft: Draft) -> Result<(), ErrorMessage> {
        let sender = self.connection.user();
        if let Some(told) = self.chat.hand_over(hook, self.conversation_id, &sender, draft).await? {
            self.connection.send(message_frame(told));
        }
        Ok(())
    }

    async fn hand_over_read(&self, hook: &Hook<ReadMessage>, message_id: MessageId) -> Result<(), ErrorMessage> {
        self.chat.hand_over_read(hook, self.conversation_id, self.connection.user_id(), message_id).await
    }

    /// The messages are the back end's, so there is nothing to replay, and no id of ours to begin after.
    fn skip_replay(&self) -> Option<MessageId> {
        if self.since.is_some() {
            self.connection.send(Frame::json(&CommonServerMessage::Resumed { count: 0 }));
        }
        None
    }

    async fn mark_read(&self, message_id: MessageId) -> Result<(), ChatError> {
        let (chat, id, reader) = (Arc::clone(&self.chat), self.conversation_id, self.connection.user());
        let is_new = self.chat.storage.write_unguarded(move |tx| chat.mark_read(tx, id, &reader, message_id)).await?;
        if !is_new {
            self.connection.send(read_frame(message_id, self.connection.user_id()));
        }
        Ok(())
    }

    fn explain(&self, error: ChatError) -> Result<(), ErrorMessage> {
        match error {
            ChatError::NotMember => {
                self.connection.close(not_a_member());
                Ok(())
            }
            ChatError::NoSuchMessage => Err(ErrorMessage::new(ErrorCode::NotFound, error.to_string())),
            ChatError::Storage(error) => Err(error.into()),
        }
    }

    /// A page of messages. It looks again whether the user is a member, since his removal waits behind the gate.
    async fn stored_after(&self, after: MessageId) -> Result<Vec<Stored>, Close> {
        let (id, user) = (self.conversation_id, self.connection.user());
        let chat = Arc::clone(&self.chat);
        let page = move |tx: &mut Tx<'_>| {
            chat.check_live(tx, id, &user)?;
            let messages = store::after(tx, id, after, PAGE)?;
            Ok::<_, ChatError>(
                messages.into_iter().map(|message| (message.message_id, message_frame(message))).collect(),
            )
        };
        Ok(self.chat.storage.read(page).await?)
    }
}

impl From<ChatError> for Close {
    fn from(error: ChatError) -> Self {
        match error {
            ChatError::NotMember | ChatError::NoSuchMessage => not_a_member(),
            ChatError::Storage(error) => error.into(),
        }
    }
}
