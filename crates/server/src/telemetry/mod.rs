//! Logs for people, metrics for machines.

mod labels;
pub mod logging;
mod metrics;
mod seldom;

pub use labels::OfferOutcome;
pub use metrics::{CONTENT_TYPE, Metrics};
pub(crate) use seldom::Seldom;
