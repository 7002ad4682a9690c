//! What all HTTP endpoints share: errors, bodies with field errors, who is asking, paging, idempotency.

mod body;
mod caller;
mod command;
pub mod docs;
mod endpoints;
mod error;
mod fields;
mod idempotency;
mod login_limiter;
mod paging;
mod path_id;
mod reply;
mod users;

pub use body::MAX_BODY_BYTES;
pub use caller::Caller;
pub use command::Command;
pub use endpoints::{Probe, routes};
pub use error::ApiError;
pub use fields::Fields;
pub use login_limiter::LoginLimiter;
pub use paging::{PageQuery, QueryFields};
pub use path_id::{PathId, PathUserId};
pub use reply::Reply;
pub use users::require_users;
