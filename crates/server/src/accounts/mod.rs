//! Users, groups, passwords, sessions and tokens, exactly as Django and SimpleJWT define them.
//!
//! The verdicts are pure functions of a row, a key and a moment ([`password`], [`session`], [`jwt`]); [`Accounts`] feeds
//! them from the database. Beside Django its tables are only read, but for the console's own sessions.

mod add_user;
pub mod cookies;
pub mod csrf;
mod identity;
mod joint_lookup;
pub mod jwt;
mod login;
mod lookup;
mod options;
pub mod origins;
pub mod password;
mod random;
mod recheck;
mod service;
pub mod session;
pub mod signing;
mod store;

pub use add_user::{AddUserError, UserToAdd};
pub use identity::{Credential, Grounds, Identity, Proof, Refusal, Standing, User};
pub use login::{LoginError, RefreshError};
pub use options::AccountsOptions;
pub use origins::AllowedOrigins;
pub use service::Accounts;
pub use store::{Account, UserTables};
