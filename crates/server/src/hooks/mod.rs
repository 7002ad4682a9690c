//! What a back end that goes on owning its own (Django, mostly) is asked over HTTP; `docs/hooks.md` is the protocol.
//!
//! A feature holds an `Option` of the hooks that it needs, and asks a [`Hook`] a [`Question`]; it sees no HTTP. Each request
//! runs as a task of the runtime, since the descriptor table of an event loop must not hold its socket.

mod back_end;
mod breaker;
mod client;
mod error;
mod hook;
mod name;
mod presence;
mod probe;
mod questions;
mod request;
mod retries;
mod signature;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
pub(crate) mod testing;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
mod tests;

use std::sync::Arc;

pub use back_end::AT_ONCE;
pub use client::SetupError;
pub use error::HookError;
pub use hook::Hook;
pub use name::HookName;
pub use presence::{Presence, Visit};
pub use probe::{Finding, probe};
pub use questions::{
    Access, Allowed, DriverOrders, MarkAsRead, NoAnswer, OrderObject, PostMessage, Posted, PushOffer, ReadMessage,
    Seat, ShownOrders,
};

use crate::{clock::SharedClock, config::Config, telemetry::Metrics};
use back_end::BackEnd;

/// The most seats in one [`Access`].
pub const SEATS_MAX: usize = 100;

/// All hooks; those that are off are `None`.
#[derive(Default)]
pub struct Hooks {
    /// Asks for what a driver is shown first.
    pub driver_orders: Option<Hook<DriverOrders>>,
    /// Those of conversations.
    pub chat: ChatHooks,
    /// Stores that a notification was read.
    pub mark_as_read: Option<Hook<MarkAsRead>>,
    /// Brings an offer to a driver whose app sleeps.
    pub push: Option<Hook<PushOffer>>,
    /// Tells who is connected.
    pub presence: Option<Arc<Presence>>,
}

/// The hooks of conversations; those that are off are `None`.
#[derive(Default)]
pub struct ChatHooks {
    /// Asks who may be where.
    pub access: Option<Hook<Access>>,
    /// Stores a message.
    pub message: Option<Hook<PostMessage>>,
    /// Stores that a message was read.
    pub read: Option<Hook<ReadMessage>>,
}

impl Hooks {
    /// The hooks of this configuration: none without `HOOKS_URL`. The runtime around the call is that of the requests.
    ///
    /// # Errors
    /// When `HOOKS_URL` is no address.
    pub fn new(config: &Config, clock: SharedClock, metrics: Arc<Metrics>) -> Result<Self, SetupError> {
        match BackEnd::new(config, clock, metrics)? {
            Some(back_end) => Ok(Self::of(&Arc::new(back_end), &config.hooks)),
            None => Ok(Self::default()),
        }
    }

    fn of(back_end: &Arc<BackEnd>, on: &[HookName]) -> Self {
        let chat = ChatHooks {
            access: Hook::new(back_end, on),
            message: Hook::new(back_end, on),
            read: Hook::new(back_end, on),
        };
        Self {
            driver_orders: Hook::new(back_end, on),
            chat,
            mark_as_read: Hook::new(back_end, on),
            push: Hook::new(back_end, on),
            presence: Presence::new(back_end, on),
        }
    }
}
