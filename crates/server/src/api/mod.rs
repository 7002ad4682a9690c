//! What all HTTP endpoints share: errors, bodies with field errors, who is asking, paging, idempotency.

mod error;

pub use error::ApiError;
