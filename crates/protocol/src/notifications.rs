//! `/ws/notifications/`: real-time notifications for any user.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{NotificationId, Timestamp, socket::ClientMessage};

/// Whether the user has read a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotificationStatus {
    /// Not yet.
    Unread,
    /// He has.
    Read,
}

/// One notification of one user.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Notification {
    /// Grows in commit order within a user's notifications.
    pub id: NotificationId,
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
    /// What belongs to the type.
    pub data: serde_json::Value,
    /// When it was stored.
    pub created_at: Timestamp,
    /// Whether the user has read it.
    pub status: NotificationStatus,
}

/// A step on the way of a notification to its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeliveryStep {
    /// When it happened, by the server's clock.
    pub at: Timestamp,
    /// Which step.
    #[serde(rename = "type")]
    pub kind: DeliveryStepKind,
}

/// How far a notification has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStepKind {
    /// It is on disk.
    Stored,
    /// An open socket of the user was handed it.
    Written,
    /// A device of the user has proved that it has it.
    Confirmed,
    /// The user has read it.
    Read,
}

/// Messages of the server on `/ws/notifications/`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum NotificationsServerMessage {
    /// Always the first message.
    ConnectionEstablished {
        /// `Connected to notifications`.
        message: String,
        /// The user's key as text.
        user_id: String,
    },
    /// A notification, after it was stored.
    Notification {
        /// The notification.
        notification: Notification,
    },
    /// The user has read it, on this or another of his connections.
    NotificationRead {
        /// Which one.
        notification_id: NotificationId,
    },
}

/// Messages of the client on `/ws/notifications/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum NotificationsClientMessage {
    /// Stores that the user has read it, and tells all of his connections.
    MarkAsRead {
        /// Which one.
        notification_id: NotificationId,
    },
}

impl ClientMessage for NotificationsClientMessage {
    const TYPES: &'static [&'static str] = &["mark_as_read"];
}
