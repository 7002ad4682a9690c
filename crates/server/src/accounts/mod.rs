//! Users, groups, passwords, sessions and tokens, exactly as Django and SimpleJWT define them.

pub mod cookies;
pub mod csrf;
pub mod datetime;
pub mod jwt;
pub mod origins;
pub mod password;
mod random;
pub mod session;
pub mod signing;
