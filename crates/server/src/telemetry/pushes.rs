use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

use super::labels::PushOutcome;

/// What is counted of pushes. A `way` is the name of one as the program text has it.
#[derive(Debug, Default)]
pub struct PushMetrics {
    pushes: Family<ByOutcome, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    way: &'static str,
    outcome: PushOutcome,
}

impl PushMetrics {
    /// This way is on: its series are there from now on, at zero.
    pub fn is_on(&self, way: &'static str) {
        for outcome in PushOutcome::ALL {
            self.pushes.get_or_create_owned(&ByOutcome { way, outcome: *outcome });
        }
    }

    /// A push was tried.
    pub fn tried(&self, way: &'static str, outcome: PushOutcome) {
        self.pushes.get_or_create(&ByOutcome { way, outcome }).inc();
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("pushes", "Attempts to tell a driver of an offer by push", self.pushes.clone());
    }
}
