//! The rules of notifications.

use std::sync::Arc;

use holodrive_protocol::{
    NotificationId, UserId,
    notifications::{Notification, NotificationsServerMessage},
};

use super::store;
use crate::{
    fanout::Hub,
    gateway::Frame,
    storage::{Storage, StorageError, Tx},
};

/// A notification that is to be stored.
#[derive(Clone, Debug, PartialEq)]
pub struct NewNotification {
    /// Who is told.
    pub user_id: UserId,
    /// A line for the list.
    pub title: String,
    /// The text.
    pub message: String,
    /// What happened, such as `chat_message` or `order_accepted`.
    pub notification_type: String,
    /// What it is about, such as `conversation` or `order`.
    pub related_object_type: Option<String>,
    /// The key of what it is about.
    pub related_object_id: Option<i64>,
    /// What belongs to the type: an object.
    pub data: serde_json::Value,
}

/// What the connections of a user hear, encoded once for all of them.
#[derive(Clone, Debug)]
pub struct NotificationEvent {
    /// The notification's id; `None` for what is not part of the sequence that `since` resumes.
    pub(super) id: Option<NotificationId>,
    /// The message.
    pub(super) frame: Frame,
}

/// The notifications of all users.
pub struct Notifications {
    storage: Storage,
    hub: Arc<Hub<UserId, NotificationEvent>>,
}

impl Notifications {
    /// Notifications in this database.
    pub fn new(storage: Storage) -> Arc<Self> {
        Arc::new(Self { storage, hub: Hub::new() })
    }

    /// Stores a notification, and sends it to all of the user's connections once the transaction is on disk.
    ///
    /// # Errors
    /// When the database refuses or fails.
    pub fn notify(&self, tx: &mut Tx<'_>, new: NewNotification) -> Result<Notification, StorageError> {
        let notification = store::insert(tx, &new)?;
        let id = Some(notification.id);
        let message = NotificationsServerMessage::Notification { notification: notification.clone() };
        self.publish(tx, new.user_id, id, message);
        Ok(notification)
    }

    fn publish(
        &self,
        tx: &mut Tx<'_>,
        user_id: UserId,
        id: Option<NotificationId>,
        message: NotificationsServerMessage,
    ) {
        let hub = Arc::clone(&self.hub);
        tx.after_commit(move || {
            if hub.has_subscribers(&user_id) {
                hub.publish(&user_id, NotificationEvent { id, frame: Frame::json(&message) });
            }
        });
    }
}
