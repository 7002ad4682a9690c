//! The rules of notifications.

use std::sync::Arc;

use holodrive_protocol::{
    NotificationId, Timestamp, UserId,
    notifications::{DeliveryStep, Notification, NotificationStatus, NotificationsServerMessage},
};
use serde::{Deserialize, Serialize};

use super::{NotificationsEndpoint, store};
use crate::{
    channel_layer::Outlet,
    fanout::{Hub, Sequenced},
    gateway::{Endpoint, Frame},
    hooks::{Hook, MarkAsRead},
    resume::{PAGE, Stored},
    storage::{Storage, StorageError, Topic, Tx},
};

/// A notification that is to be stored, whoever gets it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewNotification {
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

impl Sequenced for NotificationEvent {
    fn position(&self) -> Option<i64> {
        self.id
    }
}

/// What the database holds of a user's notifications since a moment ago; every node hears of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum NotificationFact {
    Stored { recipients: Vec<(UserId, NotificationId)>, created_at: Timestamp, new: NewNotification },
    Read { user_id: UserId, ids: Vec<NotificationId> },
}

impl NotificationFact {
    /// Tells the connections of this node; encodes only where somebody listens.
    fn tell(self, hub: &Hub<UserId, NotificationEvent>) {
        match self {
            Self::Stored { recipients, created_at, new } => {
                for (user_id, id) in recipients {
                    hub.publish_with(&user_id, || NotificationEvent {
                        id: Some(id),
                        frame: frame(new.clone().stored(id, created_at)),
                    });
                }
            }
            Self::Read { user_id, ids } => {
                for id in ids {
                    hub.publish_with(&user_id, || NotificationEvent { id: None, frame: read_frame(id) });
                }
            }
        }
    }
}

impl NewNotification {
    fn stored(self, id: NotificationId, created_at: Timestamp) -> Notification {
        let Self { title, message, notification_type, related_object_type, related_object_id, data } = self;
        let status = NotificationStatus::Unread;
        Notification {
            id,
            title,
            message,
            notification_type,
            related_object_type,
            related_object_id,
            data,
            created_at,
            status,
        }
    }
}

/// What marking a notification as read came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marked {
    /// It is read from now on, and all of the user's connections are told.
    Now,
    /// It was read already; nothing changed, and nobody is told again.
    Before,
    /// The user has no such notification.
    NotFound,
}

/// The notifications of all users.
pub struct Notifications {
    storage: Storage,
    hub: Arc<Hub<UserId, NotificationEvent>>,
    facts: Topic<NotificationFact>,
    outlet: Outlet,
    /// Where the back end stores what was read, if it does.
    mark_as_read: Option<Hook<MarkAsRead>>,
}

impl Notifications {
    /// Notifications in this database; with the hook, the back end stores which of them were read on a socket.
    pub fn new(storage: Storage, mark_as_read: Option<Hook<MarkAsRead>>) -> Arc<Self> {
        let hub = Hub::new();
        let listeners = Arc::clone(&hub);
        let facts = storage.topic("notifications", move |fact: NotificationFact| fact.tell(&listeners));
        Arc::new(Self { storage, hub, facts, mark_as_read, outlet: Outlet::default() })
    }

    /// Stores a notification for each of these users, and sends it to all of their connections once the transaction is on
    /// disk. Gives the ids.
    ///
    /// # Errors
    /// When the database refuses or fails.
    pub fn notify(
        &self,
        tx: &mut Tx<'_>,
        user_ids: &[UserId],
        new: NewNotification,
    ) -> Result<Vec<NotificationId>, StorageError> {
        let recipients = store::insert(tx, user_ids, &new)?;
        let (ids, created_at) = (recipients.iter().map(|(_, id)| *id).collect(), tx.now());
        for (user_id, id) in &recipients {
            self.tell_django(tx, *user_id, || NotificationsServerMessage::Notification {
                notification: new.clone().stored(*id, created_at),
            });
        }
        tx.publish(&self.facts, NotificationFact::Stored { recipients, created_at, new });
        Ok(ids)
    }

    /// Marks the user's notification as read.
    ///
    /// # Errors
    /// When the database refuses or fails; so with the other functions.
    pub fn mark_read(&self, tx: &mut Tx<'_>, user_id: UserId, id: NotificationId) -> Result<Marked, StorageError> {
        if store::mark_read(tx, user_id, id)? {
            self.tell_read(tx, user_id, vec![id]);
            return Ok(Marked::Now);
        }
        Ok(if store::find(tx, user_id, id)?.is_some() { Marked::Before } else { Marked::NotFound })
    }

    /// Tells the user's connections that he has read a notification, which the back end has stored.
    pub(super) async fn publish_read(
        self: &Arc<Self>,
        user_id: UserId,
        id: NotificationId,
    ) -> Result<(), StorageError> {
        let notifications = Arc::clone(self);
        let tell = move |tx: &mut Tx<'_>| {
            notifications.tell_read(tx, user_id, vec![id]);
            Ok(())
        };
        self.storage.write_unguarded(tell).await
    }

    /// The hook that stores what was read, where it is on.
    pub(super) fn mark_as_read_hook(&self) -> Option<&Hook<MarkAsRead>> {
        self.mark_as_read.as_ref()
    }

    /// Marks all of the user's notifications as read; gives how many were not.
    pub fn mark_all_read(&self, tx: &mut Tx<'_>, user_id: UserId) -> Result<u64, StorageError> {
        let ids = store::mark_all_read(tx, user_id)?;
        let count = u64::try_from(ids.len()).unwrap_or(u64::MAX);
        self.tell_read(tx, user_id, ids);
        Ok(count)
    }

    fn tell_read(&self, tx: &mut Tx<'_>, user_id: UserId, ids: Vec<NotificationId>) {
        for id in &ids {
            let notification_id = *id;
            self.tell_django(tx, user_id, || NotificationsServerMessage::NotificationRead { notification_id });
        }
        tx.publish(&self.facts, NotificationFact::Read { user_id, ids });
    }

    fn tell_django(&self, tx: &mut Tx<'_>, user_id: UserId, message: impl FnOnce() -> NotificationsServerMessage) {
        self.outlet.tell(tx, NotificationsEndpoint::NAME, &user_id, message);
    }

    /// Where Django's consumers are told.
    pub(crate) fn outlet(&self) -> &Outlet {
        &self.outlet
    }

    /// The user's notification with this id.
    pub fn find(
        &self,
        tx: &mut Tx<'_>,
        user_id: UserId,
        id: NotificationId,
    ) -> Result<Option<Notification>, StorageError> {
        store::find(tx, user_id, id)
    }

    /// The user's notifications with an id below `before`, newest first.
    pub fn list(
        &self,
        tx: &mut Tx<'_>,
        user_id: UserId,
        before: NotificationId,
        status: Option<NotificationStatus>,
        limit: i64,
    ) -> Result<Vec<Notification>, StorageError> {
        store::before(tx, user_id, before, status, limit)
    }

    /// How far a notification has come, whoever it belongs to; `None` when there is none with this id.
    pub fn delivery_steps(
        &self,
        tx: &mut Tx<'_>,
        id: NotificationId,
    ) -> Result<Option<Vec<DeliveryStep>>, StorageError> {
        store::delivery_steps(tx, id)
    }

    /// A page of the user's notifications after an id, ready to be sent.
    pub(super) async fn stored_after(
        &self,
        user_id: UserId,
        after: NotificationId,
    ) -> Result<Vec<Stored>, StorageError> {
        let page = move |tx: &mut Tx<'_>| {
            let notifications = store::after(tx, user_id, after, PAGE)?;
            Ok(notifications.into_iter().map(|notification| (notification.id, frame(notification))).collect())
        };
        self.storage.read(page).await
    }

    pub(super) fn storage(&self) -> &Storage {
        &self.storage
    }

    pub(super) fn hub(&self) -> &Arc<Hub<UserId, NotificationEvent>> {
        &self.hub
    }
}

fn frame(notification: Notification) -> Frame {
    Frame::json(&NotificationsServerMessage::Notification { notification })
}

/// Tells that a notification has been read.
pub(super) fn read_frame(notification_id: NotificationId) -> Frame {
    Frame::json(&NotificationsServerMessage::NotificationRead { notification_id })
}
