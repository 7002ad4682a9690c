//! `/ws/notifications/`.

use std::sync::Arc;

use holodrive_protocol::{
    NotificationId, UserId,
    notifications::{NotificationsClientMessage, NotificationsServerMessage},
    socket::{ErrorCode, ErrorMessage},
};

use super::{Marked, NotificationEvent, Notifications, deliveries::Deliveries, service::read_frame};
use crate::{
    fanout::Subscription,
    gateway::{Close, Connection, Endpoint, Frame, Opening, Session},
    hooks::MarkAsRead,
    resume::begin,
    storage::Tx,
};

/// The endpoint `/ws/notifications/`.
pub struct NotificationsEndpoint {
    notifications: Arc<Notifications>,
}

impl NotificationsEndpoint {
    /// Serves these notifications.
    pub fn new(notifications: Arc<Notifications>) -> Arc<Self> {
        Arc::new(Self { notifications })
    }
}

/// One connection to it.
pub struct NotificationsSession {
    subscription: Subscription<UserId, NotificationEvent, Deliveries>,
    /// Boxed, since few ask for a replay, and the others keep this for as long as they are there.
    since: Option<Box<NotificationId>>,
}

impl Endpoint for NotificationsEndpoint {
    type Session = NotificationsSession;

    const NAME: &'static str = "notifications";
    const KEEPS_USER: bool = false;

    async fn open(&self, connection: Arc<Connection>, opening: Opening) -> Result<Self::Session, Close> {
        let user_id = connection.user_id();
        let deliveries = Deliveries::new(Arc::clone(&connection), Arc::clone(&self.notifications));
        let subscription = self.notifications.hub().subscribe(user_id, deliveries);
        connection.send(Frame::json(&NotificationsServerMessage::ConnectionEstablished {
            message: "Connected to notifications".into(),
            user_id: user_id.to_string(),
        }));
        Ok(NotificationsSession { subscription, since: opening.since.map(Box::new) })
    }
}

impl Session for NotificationsSession {
    type Message = NotificationsClientMessage;

    async fn opened(&self) {
        let Deliveries { connection, notifications, .. } = self.subscription.subscriber();
        let page = async |after| Ok(notifications.stored_after(connection.user_id(), after).await?);
        let sent = |id| self.subscription.subscriber().written(id);
        begin(connection, &self.subscription, self.since.as_deref().copied(), page, sent).await;
    }

    async fn message(&self, message: Self::Message) -> Result<(), ErrorMessage> {
        let NotificationsClientMessage::MarkAsRead { notification_id } = message;
        let Deliveries { connection, notifications, .. } = self.subscription.subscriber();
        let (rules, user_id) = (Arc::clone(notifications), connection.user_id());
        if let Some(hook) = notifications.mark_as_read_hook() {
            hook.ask(MarkAsRead { notification_id, user_id }).await?;
            return Ok(notifications.publish_read(user_id, notification_id).await?);
        }
        let mark = move |tx: &mut Tx<'_>| rules.mark_read(tx, user_id, notification_id);
        let marked = notifications.storage().write_unguarded(mark).await?;
        match marked {
            Marked::Now => {}
            Marked::Before => connection.send(read_frame(notification_id)),
            Marked::NotFound => {
                return Err(ErrorMessage::new(ErrorCode::NotFound, "you have no notification with this id"));
            }
        }
        Ok(())
    }

    async fn received(&self, id: NotificationId) {
        self.subscription.subscriber().confirmed(id).await;
    }

    async fn closed(&self) {
        self.subscription.subscriber().closed().await;
    }
}
