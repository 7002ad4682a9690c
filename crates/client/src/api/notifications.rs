//! Notifications.

use holodrive_protocol::{
    NotificationId,
    http::{CreateNotification, NotificationsCreated, Page, ReadAll},
    notifications::Notification,
};

use super::{Api, PageOf, call::Call};
use crate::Error;

impl Api {
    /// One's notifications.
    pub async fn notifications_list(&self, page: &PageOf) -> Result<Page<Notification>, Error> {
        self.fetch(Call::get("/api/notifications/").query(page.pairs())).await
    }

    /// One's notifications that are still unread.
    pub async fn unread_notifications(&self, page: &PageOf) -> Result<Page<Notification>, Error> {
        let unread = [("status", "unread".to_owned())];
        self.fetch(Call::get("/api/notifications/").query(unread).query(page.pairs())).await
    }

    /// Notifies users, as staff or a back end.
    pub async fn notify(&self, notification: &CreateNotification) -> Result<NotificationsCreated, Error> {
        self.fetch(Call::post("/api/notifications/").json(notification)).await
    }

    /// Marks one of one's notifications as read.
    pub async fn read_notification(&self, id: NotificationId) -> Result<(), Error> {
        self.perform(Call::post(format!("/api/notifications/{id}/read/"))).await
    }

    /// Marks all of one's notifications as read.
    pub async fn read_all_notifications(&self) -> Result<ReadAll, Error> {
        self.fetch(Call::post("/api/notifications/read-all/")).await
    }
}
