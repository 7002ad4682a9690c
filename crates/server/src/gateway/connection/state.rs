use std::sync::Arc;

use holodrive_protocol::Timestamp;

use super::super::{Close, outbound::Outbound, pings::Pings};
use crate::accounts::{Identity, Proof, User};

/// What changes. Nearly all connections are quiet, so what only a busy or a rare one has is behind a pointer.
pub(super) struct State {
    /// `None` where the endpoint does not keep its users.
    pub(super) user: Option<Arc<User>>,
    /// `None` is a token that nothing but its user's being active ends before its time.
    pub(super) proof: Option<Box<Proof>>,
    expires_at: Timestamp,
    pub(super) outbound: Outbound,
    pub(super) pings: Pings,
    pub(super) close: Option<Box<Close>>,
}

/// When a credential runs out that never does.
const NEVER: Timestamp = Timestamp(i64::MAX);

impl State {
    pub(super) fn new(identity: Identity) -> Self {
        let (outbound, pings) = (Outbound::default(), Pings::default());
        let (proof, expires_at) = (None, NEVER);
        let mut state = Self { user: None, proof, expires_at, outbound, pings, close: None };
        state.user = Some(state.rest_on(identity));
        state
    }

    /// The connection rests on this credential from now on; gives its user.
    pub(super) fn rest_on(&mut self, identity: Identity) -> Arc<User> {
        self.proof = (identity.proof != Proof::PLAIN_TOKEN).then(|| Box::new(identity.proof));
        self.expires_at = identity.expires_at.unwrap_or(NEVER);
        identity.user
    }

    /// When the credential runs out.
    pub(super) fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at).filter(|expires_at| *expires_at != NEVER)
    }

    /// Remembers the user as he is now, where users are kept.
    pub(super) fn refresh(&mut self, user: Arc<User>) {
        // The same user read again would only move in memory.
        if self.user.as_ref().is_some_and(|kept| *kept != user) {
            self.user = Some(user);
        }
    }
}
