//! `/ws/notifications/`.

use std::sync::Arc;

use holodrive_protocol::{
    NotificationId, UserId,
    notifications::{NotificationsClientMessage, NotificationsServerMessage},
    socket::{ErrorCode, ErrorMessage},
};

use super::{Marked, NotificationEvent, Notifications, deliveries::Deliveries, service::read_frame};
use crate::{
    fanout::{Subscriber, Subscription},
    gateway::{Close, Connection, Endpoint, Frame, Opening, Session},
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
    deliveries: Arc<Deliveries>,
    subscription: Subscription<UserId, NotificationEvent>,
    since: Option<NotificationId>,
}

impl Endpoint for NotificationsEndpoint {
    type Session = NotificationsSession;

    const NAME: &'static str = "notifications";

    async fn open(&self, connection: Arc<Connection>, opening: Opening) -> Result<Self::Session, Close> {
        let user_id = connection.user_id();
        let deliveries = Arc::new(Deliveries::new(Arc::clone(&connection), Arc::clone(&self.notifications)));
        let listener = Arc::clone(&deliveries) as Arc<dyn Subscriber<_>>;
        let subscription = self.notifications.hub().subscribe(user_id, listener);
        connection.send(Frame::json(&NotificationsServerMessage::ConnectionEstablished {
            message: "Connected to notifications".into(),
            user_id: user_id.to_string(),
        }));
        Ok(NotificationsSession { deliveries, subscription, since: opening.since })
    }
}

impl Session for NotificationsSession {
    type Message = NotificationsClientMessage;

    async fn opened(&self) {
        let Deliveries { connection, notifications, .. } = &*self.deliveries;
        let page = async |after| Ok(notifications.stored_after(connection.user_id(), after).await?);
        let sent = |id| self.deliveries.written(id);
        begin(connection, &self.subscription, self.since, page, sent).await;
    }

    async fn message(&self, message: Self::Message) -> Result<(), ErrorMessage> {
        let NotificationsClientMessage::MarkAsRead { notification_id } = message;
        let Deliveries { connection, notifications, .. } = &*self.deliveries;
        let (rules, user_id) = (Arc::clone(notifications), connection.user_id());
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
        self.deliveries.confirmed(id).await;
    }

    async fn closed(&self) {
        self.deliveries.closed().await;
    }
}
