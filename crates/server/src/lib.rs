//! The real-time backend of a ride-hailing service.

pub mod accounts;
