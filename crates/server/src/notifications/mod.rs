//! Notifications: what a user is told, stored first, then sent to each of his connections.

mod service;
mod store;

pub use service::{NewNotification, NotificationEvent, Notifications};
