//! Chat: conversations between riders, drivers and support.
//!
//! Members of a conversation are its participants and all staff. A message and the notifications of it are stored in one
//! transaction; then it goes to every connection of the conversation, in the order of its id.

mod back_end;
mod conversations;
mod draft;
mod event;
mod http;
mod live;
mod service;
mod socket;
mod store;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
mod tests;
mod told;
mod turns;

pub use draft::{Draft, DraftProblem};
pub use event::ChatEvent;
pub use http::routes;
pub use service::{Chat, ChatError, Posted};
pub use socket::{ChatEndpoint, ChatSession};
