//! Users, groups, passwords, sessions and tokens, exactly as Django and SimpleJWT define them.

pub mod cookies;
pub mod csrf;
pub mod datetime;
mod identity;
pub mod jwt;
pub mod origins;
pub mod password;
mod random;
mod service;
pub mod session;
pub mod signing;

pub use identity::{Credential, Identity, Proof, Refusal, Standing, User};
pub use origins::AllowedOrigins;
pub use service::Accounts;
