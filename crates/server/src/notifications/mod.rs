//! Notifications: what a user is told, stored first, then sent to each of his connections.

mod deliveries;
mod http;
mod service;
mod socket;
mod store;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
mod tests;

pub use http::routes;
pub use service::{Marked, NewNotification, NotificationEvent, Notifications};
pub use socket::{NotificationsEndpoint, NotificationsSession};
