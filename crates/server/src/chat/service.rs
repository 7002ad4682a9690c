//! The rules of messages: who may write, what is stored, who hears of it.

use std::sync::Arc;

use holodrive_protocol::{
    ConversationId, MessageId, UserId,
    chat::{ChatMessage, ChatServerMessage, ConversationKind},
};
use serde_json::json;

use super::{
    ChatEndpoint, ChatEvent, Draft,
    back_end::BackEnd,
    event::ChatFact,
    live::Live,
    store::{self, Roster},
};
use crate::{
    accounts::{Accounts, User},
    channel_layer::Outlet,
    fanout::Hub,
    gateway::{Endpoint, Frame},
    hooks::ChatHooks,
    notifications::{NewNotification, Notifications},
    storage::{Storage, StorageError, Topic, Tx},
};

/// The characters of a message that its notification shows.
const PREVIEW_CHARS: usize = 50;

/// All conversations.
pub struct Chat {
    pub(super) storage: Storage,
    pub(super) accounts: Arc<Accounts>,
    pub(super) notifications: Arc<Notifications>,
    pub(super) hub: Arc<Hub<ConversationId, ChatEvent>>,
    pub(super) facts: Topic<ChatFact>,
    pub(super) live: Arc<Live>,
    outlet: Outlet,
    pub(super) back_end: BackEnd,
}

/// Why something was not done in a conversation.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ChatError {
    /// There is no such conversation, or the user is not a member: the two look the same.
    #[error("there is no such conversation, or you are not a member of it")]
    NotMember,
    /// The conversation has no such message.
    #[error("there is no such message in this conversation")]
    NoSuchMessage,
    /// The database refused or failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A message that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// The message.
    pub message: ChatMessage,
    /// False when the sender had sent it before: then nothing was stored, and nobody is told again.
    pub is_new: bool,
}

impl Chat {
    /// Conversations in this database, or of the back end as far as its hooks are on.
    pub fn new(
        storage: Storage,
        accounts: Arc<Accounts>,
        notifications: Arc<Notifications>,
        hooks: ChatHooks,
    ) -> Arc<Self> {
        let hub = Hub::new();
        let (listeners, has_own_members) = (Arc::clone(&hub), hooks.access.is_none());
        let (live, back_end) = (Arc::default(), BackEnd::new(hooks));
        let memory = back_end.memory();
        let facts = storage.topic("chat", move |fact: ChatFact| {
            if let (Some(memory), ChatFact::Posted(message)) = (&memory, &fact) {
                memory.remember(message);
            }
            // Our conversation of this id need not be the one of the back end.
            if has_own_members || !matches!(fact, ChatFact::Removed { .. }) {
                fact.tell(&listeners);
            }
        });
        Arc::new(Self { storage, accounts, notifications, hub, facts, live, back_end, outlet: Outlet::default() })
    }

    /// Stores a message and the notifications of it, and sends them once they are on disk. Refuses before the first write.
    ///
    /// # Errors
    /// [`ChatError::NotMember`], or when the database fails.
    pub fn post(
        &self,
        tx: &mut Tx<'_>,
        conversation_id: ConversationId,
        sender: &User,
        draft: &Draft,
    ) -> Result<Posted, ChatError> {
        let is_member = |roster: &Roster| sender.is_staff || roster.participants.contains(&sender.id);
        self.post_if(tx, conversation_id, sender, draft, is_member)
    }

    /// [`Chat::post`] of somebody whom the endpoint has let into the conversation.
    pub(super) fn post_live(
        &self,
        tx: &mut Tx<'_>,
        conversation_id: ConversationId,
        sender: &User,
        draft: &Draft,
    ) -> Result<Posted, ChatError> {
        match self.back_end.hooks.access {
            Some(_) => self.post_if(tx, conversation_id, sender, draft, |_| true),
            None => self.post(tx, conversation_id, sender, draft),
        }
    }

    fn post_if(
        &self,
        tx: &mut Tx<'_>,
        conversation_id: ConversationId,
        sender: &User,
        draft: &Draft,
        is_member: impl FnOnce(&Roster) -> bool,
    ) -> Result<Posted, ChatError> {
        let roster = store::roster(tx, conversation_id)?.filter(is_member).ok_or(ChatError::NotMember)?;
        if let Some(message) = sent_before(tx, conversation_id, sender.id, draft)? {
            return Ok(Posted { message, is_new: false });
        }
        // Who is to be told depends on who has written so far, so it is asked before this message is stored.
        let recipients = self.recipients(tx, conversation_id, &roster, sender)?;
        let message = store::insert_message(tx, new_message(conversation_id, sender, draft))?;
        if !recipients.is_empty() {
            self.notifications.notify(tx, &recipients, notification(&message))?;
        }
        self.tell(tx, ChatFact::Posted(message.clone()));
        Ok(Posted { message, is_new: true })
    }

    /// Stores that the user has read a message, and tells the conversation. False when he had read it before: then nothing
    /// changed, and nobody is told again. Refuses before it writes.
    ///
    /// # Errors
    /// [`ChatError::NotMember`], [`ChatError::NoSuchMessage`], or when the database fails.
    pub fn mark_read(
        &self,
        tx: &mut Tx<'_>,
        conversation_id: ConversationId,
        user: &User,
        message_id: MessageId,
    ) -> Result<bool, ChatError> {
        self.check_live(tx, conversation_id, user)?;
        if !store::exists(tx, conversation_id, message_id)? {
            return Err(ChatError::NoSuchMessage);
        }
        let is_new = store::mark_read(tx, message_id, user.id)?;
        if is_new {
            self.tell(tx, ChatFact::Read { conversation_id, message_id, read_by: user.id });
        }
        Ok(is_new)
    }

    /// Tells all connections of the conversation, and Django's consumers, once the transaction is on disk.
    pub(super) fn tell(&self, tx: &mut Tx<'_>, fact: ChatFact) {
        if self.outlet.is_open()
            && let Some(message) = fact.message()
        {
            self.outlet.tell(tx, ChatEndpoint::NAME, &fact.conversation_id(), || message);
        }
        tx.publish(&self.facts, fact);
    }

    /// Tells the conversation that a user is typing, or stopped. Nothing is stored.
    pub fn typing(&self, conversation_id: ConversationId, user: &User, is_typing: bool) {
        let message = || ChatServerMessage::Typing { is_typing, user: user.id, user_name: user.display_name() };
        self.hub
            .publish_with(&conversation_id, || ChatEvent::Typing { user_id: user.id, frame: Frame::json(&message()) });
        self.outlet.tell_now(ChatEndpoint::NAME, &conversation_id, message);
    }

    /// Where Django's consumers are told.
    pub(crate) fn outlet(&self) -> &Outlet {
        &self.outlet
    }

    /// Messages of the conversation with an id between two others, newest first.
    ///
    /// # Errors
    /// [`ChatError::NotMember`], or when the database fails.
    pub fn history(
        &self,
        tx: &mut Tx<'_>,
        conversation_id: ConversationId,
        reader: &User,
        (after, before): (MessageId, MessageId),
        limit: i64,
    ) -> Result<Vec<ChatMessage>, ChatError> {
        member(tx, conversation_id, reader)?;
        Ok(store::between(tx, conversation_id, (after, before), limit)?)
    }

    /// Who is notified of a message of `sender`: the other participants, and all staff where none cares yet.
    fn recipients(
        &self,
        tx: &mut Tx<'_>,
        id: ConversationId,
        Roster { kind, participants }: &Roster,
        sender: &User,
    ) -> Result<Vec<UserId>, StorageError> {
        let others = || participants.iter().copied().filter(|user_id| *user_id != sender.id);
        if *kind != ConversationKind::Support || sender.is_staff || store::has_message_from_support(tx, id)? {
            return Ok(others().collect());
        }
        let staff = self.accounts.find_staff(tx)?;
        if staff.iter().any(|user_id| participants.contains(user_id)) {
            return Ok(others().collect());
        }
        Ok(others().chain(staff).collect())
    }
}

/// Makes sure that the user is a member.
pub(super) fn member(tx: &mut Tx<'_>, conversation_id: ConversationId, user: &User) -> Result<(), ChatError> {
    match store::participates(tx, conversation_id, user.id)? {
        Some(participates) if participates || user.is_staff => Ok(()),
        _ => Err(ChatError::NotMember),
    }
}

fn sent_before(
    tx: &mut Tx<'_>,
    conversation_id: ConversationId,
    sender_id: UserId,
    draft: &Draft,
) -> Result<Option<ChatMessage>, StorageError> {
    match &draft.client_id {
        Some(client_id) => store::by_client_id(tx, conversation_id, sender_id, client_id),
        None => Ok(None),
    }
}

fn new_message<'d>(conversation_id: ConversationId, sender: &User, draft: &'d Draft) -> store::NewMessage<'d> {
    store::NewMessage {
        conversation_id,
        sender_id: sender.id,
        sender_name: sender.display_name(),
        is_from_support: sender.is_staff,
        message: &draft.message,
        client_id: draft.client_id.as_deref(),
    }
}

fn notification(message: &ChatMessage) -> NewNotification {
    let end = message.message.char_indices().nth(PREVIEW_CHARS).map_or(message.message.len(), |(end, _)| end);
    let preview = &message.message[..end];
    NewNotification {
        title: format!("New message from {}", message.sender_name),
        message: format!("New message in conversation: {preview}..."),
        notification_type: "chat_message".into(),
        related_object_type: Some("conversation".into()),
        related_object_id: Some(message.conversation_id),
        data: json!({"conversation_id": message.conversation_id, "message_id": message.message_id}),
    }
}
