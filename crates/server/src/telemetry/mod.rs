//! Logs for people, metrics for machines.

mod hooks;
mod labels;
pub mod logging;
mod metrics;
mod pushes;
mod seldom;

pub use hooks::{BreakerState, HookMetrics};
pub use labels::{HookOutcome, OfferOutcome, PushOutcome, RoutingOutcome};
pub use metrics::{CONTENT_TYPE, Metrics};
pub use pushes::PushMetrics;
pub(crate) use seldom::Seldom;
