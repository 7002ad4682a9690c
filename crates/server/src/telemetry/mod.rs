//! Logs for people, metrics for machines.

mod hooks;
mod labels;
pub mod logging;
mod metrics;
mod seldom;

pub use hooks::{BreakerState, HookMetrics};
pub use labels::{HookOutcome, OfferOutcome, RoutingOutcome};
pub use metrics::{CONTENT_TYPE, Metrics};
pub(crate) use seldom::Seldom;
