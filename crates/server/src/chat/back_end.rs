//! Conversations of a back end, as far as its hooks are on: it decides and stores, and everybody hears of it from here.

use std::sync::Arc;

use holodrive_protocol::{ConversationId, MessageId, Timestamp, UserId, chat::ChatMessage, socket::ErrorMessage};
use tokio::{sync::Mutex, time::timeout};

use super::{
    Chat, ChatError, Draft,
    event::{ChatFact, not_a_member},
    live::Seat,
    service::member,
    told::Told,
    turns::Turns,
};
use crate::{
    accounts::User,
    gateway::Close,
    hooks::{self, Access, ChatHooks, Hook, HookError, PostMessage, Posted, ReadMessage, SEATS_MAX},
    storage::{StorageError, Tx},
    telemetry::Seldom,
};

/// The hooks of conversations, and what is remembered of them.
#[derive(Default)]
pub(super) struct BackEnd {
    pub(super) hooks: ChatHooks,
    turns: Turns,
    /// What any node was told.
    told: Arc<Told>,
    /// Held while the back end is asked for all who are there.
    rechecking: Arc<Mutex<()>>,
    failures: Seldom,
}

impl BackEnd {
    pub(super) fn new(hooks: ChatHooks) -> Self {
        Self { hooks, ..Self::default() }
    }

    /// Where messages of the back end are to be remembered.
    pub(super) fn memory(&self) -> Option<Arc<Told>> {
        self.hooks.message.as_ref().map(|_| Arc::clone(&self.told))
    }
}

impl Chat {
    /// Lets a user into a conversation, or says why not.
    pub(super) async fn let_in(&self, conversation_id: ConversationId, user: Arc<User>) -> Result<(), Close> {
        let Some(hook) = &self.back_end.hooks.access else {
            return Ok(self.storage.read(move |tx| member(tx, conversation_id, &user)).await?);
        };
        let seats = vec![hooks::Seat { conversation_id, user_id: user.id }];
        let answer = hook.ask(Access { seats }).await?;
        if answer.allowed == [true] { Ok(()) } else { Err(not_a_member()) }
    }

    /// Makes sure that a user whom the endpoint has let in may still be there; with the hook, the back end is asked for that.
    pub(super) fn check_live(
        &self,
        tx: &mut Tx<'_>,
        conversation_id: ConversationId,
        user: &User,
    ) -> Result<(), ChatError> {
        if self.back_end.hooks.access.is_some() { Ok(()) } else { member(tx, conversation_id, user) }
    }

    /// Has the back end look again at all who are there, beside whoever asks for it; one look at a time.
    pub(super) fn recheck_access(self: &Arc<Self>) {
        if let Ok(turn) = Arc::clone(&self.back_end.rechecking).try_lock_owned() {
            let chat = Arc::clone(self);
            tokio::spawn(async move {
                let _turn = turn;
                chat.ask_for_all().await;
            });
        }
    }

    async fn ask_for_all(&self) {
        let Some(hook) = &self.back_end.hooks.access else { return };
        let mut seats = self.live.all();
        seats.sort_unstable_by_key(Seat::place);
        let places: Vec<_> = seats.chunk_by(|one, other| one.place() == other.place()).collect();
        for some in places.chunks(SEATS_MAX) {
            if let Err(error) = ask_for_some(hook, some).await
                && self.back_end.failures.is_due()
            {
                tracing::warn!(%error, "members of live conversations cannot be checked");
            }
        }
    }

    /// Has the back end store a message, and tells everybody; gives it where everybody was told before. One after another
    /// in each conversation, so that ids grow in the order in which they are told.
    pub(super) async fn hand_over(
        self: &Arc<Self>,
        hook: &Hook<PostMessage>,
        conversation_id: ConversationId,
        sender: &User,
        draft: Draft,
    ) -> Result<Option<ChatMessage>, ErrorMessage> {
        let question = question(conversation_id, sender, draft);
        let place = self.back_end.turns.place(conversation_id);
        let _turn = timeout(hook.patience(), place.turn()).await.map_err(|_| HookError::Unavailable)?;
        let answer = hook.ask(question.clone()).await?;
        let message = stored(question, answer, self.storage.clock().now());
        if let Some(told) = self.back_end.told.before(&message) {
            return Ok(Some(told));
        }
        self.tell_all(ChatFact::Posted(message)).await?;
        Ok(None)
    }

    /// Has the back end store that a message was read, and tells everybody.
    pub(super) async fn hand_over_read(
        self: &Arc<Self>,
        hook: &Hook<ReadMessage>,
        conversation_id: ConversationId,
        user_id: UserId,
        message_id: MessageId,
    ) -> Result<(), ErrorMessage> {
        hook.ask(ReadMessage { conversation_id, user_id, message_id }).await?;
        Ok(self.tell_all(ChatFact::Read { conversation_id, message_id, read_by: user_id }).await?)
    }

    /// Tells all nodes of something that the back end has stored.
    async fn tell_all(self: &Arc<Self>, fact: ChatFact) -> Result<(), StorageError> {
        let chat = Arc::clone(self);
        let tell = move |tx: &mut Tx<'_>| {
            chat.tell(tx, fact);
            Ok(())
        };
        self.storage.write_unguarded(tell).await
    }
}

/// Closes those connections whose users may not be where they are. Each place may have several.
async fn ask_for_some(hook: &Hook<Access>, places: &[&[Seat]]) -> Result<(), HookError> {
    let seats = places.iter().filter_map(|seats| seats.first()).map(Seat::place);
    let seats = seats.map(|(conversation_id, user_id)| hooks::Seat { conversation_id, user_id }).collect();
    let answer = hook.ask(Access { seats }).await?;
    let refused = places.iter().zip(answer.allowed).filter(|(_, allowed)| !allowed);
    for seat in refused.flat_map(|(seats, _)| *seats) {
        seat.connection.close(not_a_member());
    }
    Ok(())
}

fn question(conversation_id: ConversationId, sender: &User, draft: Draft) -> PostMessage {
    PostMessage {
        conversation_id,
        user_id: sender.id,
        sender_name: sender.display_name(),
        is_from_support: sender.is_staff,
        message: draft.message,
        client_id: draft.client_id,
    }
}

/// What is said in the answer counts.
fn stored(question: PostMessage, answer: Posted, now: Timestamp) -> ChatMessage {
    ChatMessage {
        message: answer.message.unwrap_or(question.message),
        sender_id: question.user_id,
        sender_name: answer.sender_name.unwrap_or(question.sender_name),
        is_from_support: answer.is_from_support.unwrap_or(question.is_from_support),
        created_at: answer.created_at.unwrap_or(now),
        message_id: answer.message_id,
        conversation_id: question.conversation_id,
        client_id: question.client_id,
    }
}
