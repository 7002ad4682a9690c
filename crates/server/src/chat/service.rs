//! The rules of conversations.

use std::sync::Arc;

use holodrive_protocol::{ConversationId, OrderId, UserId, chat::ConversationKind};

use super::store;
use crate::{
    accounts::Accounts,
    fanout::Hub,
    notifications::Notifications,
    storage::{Storage, StorageError, Tx},
};

/// What the connections of a conversation hear.
#[derive(Clone, Debug)]
pub enum ChatEvent {
    /// This user no longer takes part.
    Removed(UserId),
}

/// All conversations.
pub struct Chat {
    storage: Storage,
    accounts: Arc<Accounts>,
    notifications: Arc<Notifications>,
    hub: Arc<Hub<ConversationId, ChatEvent>>,
}

impl Chat {
    /// Conversations in this database.
    pub fn new(storage: Storage, accounts: Arc<Accounts>, notifications: Arc<Notifications>) -> Arc<Self> {
        Arc::new(Self { storage, accounts, notifications, hub: Hub::new() })
    }

    /// The conversation of an order's rider and driver. After a release it is the same one again, with the new driver.
    ///
    /// # Errors
    /// When the database refuses or fails.
    pub fn open_order_conversation(
        &self,
        tx: &mut Tx<'_>,
        order_id: OrderId,
        rider: UserId,
        driver: UserId,
    ) -> Result<ConversationId, StorageError> {
        let id = match store::of_order(tx, order_id)? {
            Some(id) => id,
            None => store::insert_conversation(tx, ConversationKind::Order, Some(order_id), Some(rider))?,
        };
        store::add_participant(tx, id, rider)?;
        store::add_participant(tx, id, driver)?;
        Ok(id)
    }

    /// Ends a user's part in a conversation. His connections to it are closed with 4403 once that is on disk.
    ///
    /// # Errors
    /// When the database refuses or fails.
    pub fn remove_participant(
        &self,
        tx: &mut Tx<'_>,
        conversation_id: ConversationId,
        user_id: UserId,
    ) -> Result<(), StorageError> {
        store::remove_participant(tx, conversation_id, user_id)?;
        let hub = Arc::clone(&self.hub);
        tx.after_commit(move || hub.publish(&conversation_id, ChatEvent::Removed(user_id)));
        Ok(())
    }
}
