//! The rules of conversations: who opens which, and who takes part.

use holodrive_protocol::{
    ConversationId, OrderId, UserId,
    chat::{Conversation, ConversationKind},
};

use super::{Chat, event::ChatFact, store};
use crate::{
    accounts::User,
    storage::{StorageError, Tx},
};

impl Chat {
    /// The conversation of an order's rider and driver. After a release it is the one that the order has, with the new driver.
    ///
    /// # Errors
    /// When the database refuses or fails; so with the other functions.
    pub fn open_order_conversation(
        &self,
        tx: &mut Tx<'_>,
        existing: Option<ConversationId>,
        order_id: OrderId,
        rider: UserId,
        driver: UserId,
    ) -> Result<ConversationId, StorageError> {
        let id = match existing {
            Some(id) => id,
            None => store::insert_conversation(tx, ConversationKind::Order, Some(order_id), Some(rider))?,
        };
        store::add_participants(tx, id, &[rider, driver])?;
        Ok(id)
    }

    /// The user's one open support conversation, and whether it is new.
    pub fn open_support_conversation(
        &self,
        tx: &mut Tx<'_>,
        user_id: UserId,
    ) -> Result<(Conversation, bool), StorageError> {
        if let Some(id) = store::open_support(tx, user_id)? {
            return Ok((conversation(tx, id)?, false));
        }
        let id = store::insert_conversation(tx, ConversationKind::Support, None, Some(user_id))?;
        store::add_participants(tx, id, &[user_id])?;
        Ok((conversation(tx, id)?, true))
    }

    /// A new conversation of these users; `created_by` is `None` for a back end.
    pub fn open_direct_conversation(
        &self,
        tx: &mut Tx<'_>,
        participants: &[UserId],
        created_by: Option<UserId>,
    ) -> Result<Conversation, StorageError> {
        let id = store::insert_conversation(tx, ConversationKind::Direct, None, created_by)?;
        store::add_participants(tx, id, participants)?;
        conversation(tx, id)
    }

    /// Ends a user's part in a conversation. His connections to it are closed with 4403 once that is on disk.
    pub fn remove_participant(
        &self,
        tx: &mut Tx<'_>,
        conversation_id: ConversationId,
        user_id: UserId,
    ) -> Result<(), StorageError> {
        store::remove_participant(tx, conversation_id, user_id)?;
        tx.publish(&self.facts, ChatFact::Removed { conversation_id, user_id });
        Ok(())
    }

    /// The conversations that the user is a member of with an id below `before`, newest first; for staff all of them.
    pub fn list(
        &self,
        tx: &mut Tx<'_>,
        user: &User,
        before: ConversationId,
        limit: i64,
    ) -> Result<Vec<Conversation>, StorageError> {
        let participant = (!user.is_staff).then_some(user.id);
        let ids = store::conversation_ids(tx, participant, before, limit)?;
        store::conversations(tx, &ids)
    }
}

fn conversation(tx: &mut Tx<'_>, id: ConversationId) -> Result<Conversation, StorageError> {
    store::conversations(tx, &[id])?.pop().ok_or(StorageError::Unavailable)
}
