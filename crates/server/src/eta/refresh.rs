use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::{runtime::Handle, sync::Semaphore};

use super::{
    NoTravelTime, TravelTimes,
    estimates::{Estimates, Way},
};
use crate::{
    dispatch::Point,
    telemetry::{Metrics, RoutingOutcome, Seldom},
};

/// Requests that are under way at once.
const AT_ONCE: usize = 8;

/// A routing service that nobody waits for.
pub(super) struct Refresher {
    service: Arc<dyn TravelTimes>,
    estimates: Mutex<Estimates>,
    places: Semaphore,
    /// Where requests run: orders are shown on threads that have no runtime, too.
    runtime: Handle,
    metrics: Arc<Metrics>,
    failures: Seldom,
}

impl Refresher {
    pub(super) fn new(service: Arc<dyn TravelTimes>, metrics: Arc<Metrics>) -> Arc<Self> {
        metrics.routing_is_on();
        Arc::new(Self {
            service,
            estimates: Mutex::default(),
            places: Semaphore::new(AT_ONCE),
            runtime: Handle::current(),
            metrics,
            failures: Seldom::default(),
        })
    }

    /// How long the way takes from here as far as is known; has the service asked where it is time for that.
    pub(super) fn time(self: &Arc<Self>, way: Way, from: Point, straight: impl Fn(Point) -> Duration) -> Duration {
        let mut estimates = self.estimates.lock();
        if estimates.begin(way, from, Instant::now()) {
            self.runtime.spawn(Arc::clone(self).ask(way, from));
        }
        estimates.time(way, from, &straight).unwrap_or_else(|| straight(from))
    }

    async fn ask(self: Arc<Self>, way: Way, from: Point) {
        // Nobody closes the semaphore: this waits for a place.
        let place = self.places.acquire().await;
        let answer = self.service.travel_time(from, way.1).await;
        drop(place);
        self.metrics.routing_asked(match &answer {
            Ok(_) => RoutingOutcome::Done,
            Err(NoTravelTime::NoRoute) => RoutingOutcome::NoRoute,
            Err(NoTravelTime::Failed(_)) => RoutingOutcome::Failed,
        });
        if let Err(NoTravelTime::Failed(reason)) = &answer
            && self.failures.is_due()
        {
            tracing::warn!(reason, "the routing service failed; times of arrival go by the straight line meanwhile");
        }
        self.estimates.lock().learn(way, from, &answer, Instant::now());
    }
}
