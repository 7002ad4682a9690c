//! Chat: conversations between riders, drivers and support.

mod service;
mod store;

pub use service::{Chat, ChatEvent};
