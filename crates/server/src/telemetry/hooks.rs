use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{labels::HookOutcome, metrics::latency_histogram};

/// What is counted of the requests to the back end. A `hook` is the name of a hook as the program text has it.
#[derive(Debug)]
pub struct HookMetrics {
    requests: Family<ByOutcome, Counter>,
    durations: Family<ByHook, Histogram, fn() -> Histogram>,
    breakers: Family<ByHook, Gauge>,
    dropped_events: Counter,
}

/// What the circuit breaker of a hook does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// It lets requests pass.
    Closed = 0,
    /// It lets one pass.
    HalfOpen = 1,
    /// It lets none pass.
    Open = 2,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByHook {
    hook: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    hook: &'static str,
    outcome: HookOutcome,
}

impl HookMetrics {
    pub(super) fn new() -> Self {
        Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(latency_histogram),
            breakers: Family::default(),
            dropped_events: Counter::default(),
        }
    }

    /// This hook is on: its series are there from now on, at zero, which lets alerts tell the first event.
    pub fn is_on(&self, hook: &'static str) {
        for outcome in HookOutcome::ALL {
            self.requests.get_or_create_owned(&ByOutcome { hook, outcome: *outcome });
        }
        self.breakers.get_or_create_owned(&ByHook { hook });
    }

    /// A request to the back end was answered, or given up.
    pub fn asked(&self, hook: &'static str, outcome: HookOutcome, took: Duration) {
        self.requests.get_or_create(&ByOutcome { hook, outcome }).inc();
        self.durations.get_or_create(&ByHook { hook }).observe(took.as_secs_f64());
    }

    /// A request was not made, since the back end is away.
    pub fn not_asked(&self, hook: &'static str) {
        self.requests.get_or_create(&ByOutcome { hook, outcome: HookOutcome::NotAsked }).inc();
    }

    /// The circuit breaker of a hook changed.
    pub fn breaker(&self, hook: &'static str, state: BreakerState) {
        self.breakers.get_or_create(&ByHook { hook }).set(state as i64);
    }

    /// The back end was not told of a connection.
    pub fn event_dropped(&self) {
        self.dropped_events.inc();
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("hook_requests", "Requests to the back end", self.requests.clone());
        let help = "Time from a request to the back end to its answer, all attempts together";
        registry.register_with_unit("hook_duration", help, Unit::Seconds, self.durations.clone());
        let help = "Circuit breakers of hooks: 0 closed, 1 one request tries, 2 open";
        registry.register("hook_breaker", help, self.breakers.clone());
        let help = "Opened and ended connections that the back end was not told of";
        registry.register("hook_events_dropped", help, self.dropped_events.clone());
    }
}
