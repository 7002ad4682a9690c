//! Every message of HoloDrive's WebSocket and HTTP interfaces as serde types.
//!
//! The crate does no I/O. The server, the clients, the load generator and the generated API documents are all made
//! from these types, so that a field can be neither forgotten nor spelled twice.
//!
//! | module | interface |
//! |---|---|
//! | [`socket`] | what every WebSocket shares: errors, keep-alive, credentials |
//! | [`notifications`] | `/ws/notifications/` |
//! | [`chat`] | `/ws/chat/{conversation_id}/` |
//! | [`driver`] | `/ws/driver/orders/` |
//! | [`rider`] | `/ws/rider/orders/` and `/ws/order/{order_id}/tracking/` |
//! | [`http`] | request and response bodies of the HTTP API |

pub mod chat;
pub mod coordinate;
pub mod driver;
pub mod http;
pub mod notifications;
pub mod order;
pub mod rider;
pub mod socket;
mod time;
mod user_id;

pub use coordinate::{Latitude, Longitude};
pub use order::{Order, OrderEvent, OrderStatus};
pub use time::Timestamp;
pub use user_id::UserId;

/// Key of an order; grows with every order.
pub type OrderId = i64;
/// Key of one offer of an order to a driver.
pub type OfferId = i64;
/// Key of a conversation.
pub type ConversationId = i64;
/// Key of a chat message; grows in commit order within a conversation.
pub type MessageId = i64;
/// Key of a notification; grows in commit order within a user's notifications.
pub type NotificationId = i64;
