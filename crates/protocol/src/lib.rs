//! Every message of HoloDrive's WebSocket and HTTP interfaces, as serde types. No I/O.

mod time;
mod user_id;

pub use time::{ParseTimestampError, Timestamp};
pub use user_id::{ParseUserIdError, UserId};
