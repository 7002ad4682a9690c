//! HoloDrive: the real-time backend of a ride-hailing service.

pub mod accounts;
pub mod api;
pub mod app;
pub mod channel_layer;
pub mod chat;
pub mod cli;
pub mod clock;
pub mod config;
pub mod console;
pub mod demo;
mod descriptors;
pub mod dispatch;
pub mod eta;
#[cfg(feature = "failpoints")]
mod failpoint;
#[cfg(not(feature = "failpoints"))]
mod failpoint {
    pub(crate) const fn pass(_: &str) {}
}
pub mod fanout;
pub mod gateway;
pub mod hooks;
pub mod notifications;
pub mod orders;
pub mod push;
pub mod resume;
pub mod server;
mod shards;
pub mod storage;
pub mod telemetry;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
mod testing;
