//! How long a driver takes to a place.
//!
//! | file | holds |
//! |---|---|
//! | `straight` | the great circle, made longer by a factor, at one speed: always there |
//! | `osrm` | a routing service that knows the roads |
//! | `refresh` | asks it beside everything else: who shows an order never waits for it |
//! | `estimates` | what it has said, and when it is asked again |

mod estimates;
mod osrm;
mod refresh;
mod straight;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
pub(crate) mod testing;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]
mod tests;

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use holodrive_protocol::UserId;
use thiserror::Error;

use self::{osrm::Osrm, refresh::Refresher, straight::StraightLine};
use crate::{config::Config, dispatch::Point, telemetry::Metrics};

/// What makes cutting off the same as rounding.
const HALF_A_SECOND: Duration = Duration::from_millis(500);

/// Knows how long a car takes from one place to another.
pub trait TravelTimes: Send + Sync + 'static {
    /// How long it takes at this time of the day.
    fn travel_time(&self, from: Point, to: Point) -> BoxFuture<'_, Result<Duration, NoTravelTime>>;
}

/// Why there is no travel time.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoTravelTime {
    /// No road leads there, as far as the service knows: asking again is of no use.
    #[error("no road leads there")]
    NoRoute,
    /// The service did not answer, or not what it should.
    #[error("{0}")]
    Failed(String),
}

/// The routing service cannot be asked at all.
#[derive(Debug, Error)]
#[error("ROUTING_URL: {0}")]
pub struct SetupError(String);

/// Estimated times of arrival.
pub struct Eta {
    straight: StraightLine,
    routing: Option<Arc<Refresher>>,
}

impl Eta {
    /// By the straight line, and by the routing service where one is set. It must be called within a runtime, in which the
    /// service is asked.
    ///
    /// # Errors
    /// When the service's address is none.
    pub fn new(config: &Config, metrics: &Arc<Metrics>) -> Result<Self, SetupError> {
        let straight = StraightLine { detour: config.eta_detour_factor, km_per_hour: config.eta_speed_kmh };
        let service = |url: &String| Osrm::new(url, &config.routing_profile, config.routing_timeout);
        let service = config.routing_url.as_ref().map(service).transpose()?;
        let routing = service.map(|service| Refresher::new(Arc::new(service), Arc::clone(metrics)));
        Ok(Self { straight, routing })
    }

    /// Whole seconds that a driver takes from where he is; at once. What the routing service says of it comes with one of the
    /// next calls.
    pub fn seconds(&self, driver_id: UserId, from: Point, to: Point) -> u64 {
        let straight = |from| self.straight.time(from, to);
        let time = match &self.routing {
            Some(routing) => routing.time((driver_id, to), from, straight),
            None => straight(from),
        };
        time.saturating_add(HALF_A_SECOND).as_secs()
    }
}
