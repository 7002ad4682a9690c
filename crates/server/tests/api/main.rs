//! The HTTP API over a real listener and a real database.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod credentials;
mod docs;
mod garbage;
mod health;
mod idempotency;
mod lifecycle;
mod sessions;
mod support;
mod tokens;
