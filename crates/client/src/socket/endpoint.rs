//! The endpoints: where they are, what they say, and by what they resume.

use holodrive_protocol::{
    ConversationId, OrderId,
    chat::{ChatClientMessage, ChatServerMessage},
    driver::{DriverClientMessage, DriverServerMessage},
    notifications::{NotificationsClientMessage, NotificationsServerMessage},
    rider::{ListenOnly, RiderServerMessage, TrackingServerMessage},
};
use serde::de::DeserializeOwned;

use super::{Socket, SocketBuilder};
use crate::Api;

/// `/ws/notifications/`.
pub type NotificationsSocket = Socket<NotificationsServerMessage, NotificationsClientMessage>;
/// `/ws/chat/{conversation_id}/`.
pub type ChatSocket = Socket<ChatServerMessage, ChatClientMessage>;
/// `/ws/driver/orders/`.
pub type DriverOrdersSocket = Socket<DriverServerMessage, DriverClientMessage>;
/// `/ws/rider/orders/`.
pub type RiderOrdersSocket = Socket<RiderServerMessage, ListenOnly>;
/// `/ws/order/{order_id}/tracking/`.
pub type TrackingSocket = Socket<TrackingServerMessage, ListenOnly>;

/// The messages that a server sends on one endpoint.
pub trait ServerMessage: DeserializeOwned + Send + 'static {
    /// The id by which a client resumes after this message; it grows from message to message.
    fn resume_id(&self) -> Option<i64> {
        None
    }
}

impl ServerMessage for NotificationsServerMessage {
    fn resume_id(&self) -> Option<i64> {
        match self {
            Self::Notification { notification } => Some(notification.id),
            _ => None,
        }
    }
}

impl ServerMessage for ChatServerMessage {
    fn resume_id(&self) -> Option<i64> {
        match self {
            Self::ChatMessage(message) => Some(message.message_id),
            _ => None,
        }
    }
}

impl ServerMessage for DriverServerMessage {}
impl ServerMessage for RiderServerMessage {}
impl ServerMessage for TrackingServerMessage {}

impl Api {
    /// One's notifications as they come.
    pub fn notifications(&self) -> SocketBuilder<NotificationsServerMessage, NotificationsClientMessage> {
        SocketBuilder::new(self.clone(), "/ws/notifications/".to_owned())
    }

    /// One conversation.
    pub fn chat(&self, id: ConversationId) -> SocketBuilder<ChatServerMessage, ChatClientMessage> {
        SocketBuilder::new(self.clone(), format!("/ws/chat/{id}/"))
    }

    /// Orders offered to a driver. A driver who never set a status is online while this is open.
    pub fn driver_orders(&self) -> SocketBuilder<DriverServerMessage, DriverClientMessage> {
        SocketBuilder::new(self.clone(), "/ws/driver/orders/".to_owned())
    }

    /// A rider's orders, step by step.
    pub fn rider_orders(&self) -> SocketBuilder<RiderServerMessage, ListenOnly> {
        SocketBuilder::new(self.clone(), "/ws/rider/orders/".to_owned())
    }

    /// Where an order's driver is, until the trip ends.
    pub fn tracking(&self, id: OrderId) -> SocketBuilder<TrackingServerMessage, ListenOnly> {
        SocketBuilder::new(self.clone(), format!("/ws/order/{id}/tracking/"))
    }
}
