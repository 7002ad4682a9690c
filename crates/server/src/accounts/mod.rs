//! Users, groups, tokens, sessions and passwords, as Django defines them.

mod identity;

pub use identity::{Credential, Identity, Proof, Refusal, User};
