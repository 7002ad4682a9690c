//! Wakes the phone of a driver whom an offer has not reached: `docs/push.md` tells operators and app developers about it.
//!
//! `orders` says which offers are due ([`crate::orders::DuePush`]); the [`pusher`] takes them on, and a [`sending`] tries all
//! [`way`]s to their driver until each has an end, beside everything else: dispatch never waits for a push service.

mod apns;
mod backoff;
mod bearer;
mod fcm;
mod http;
mod oauth;
mod outcome;
mod pusher;
mod sending;
mod service;
mod store;
mod way;

pub use http::routes;
pub use outcome::PushSetupError;
pub use pusher::Pusher;
pub use way::{Finding, Ways};
