use std::{future, time::Duration};

use futures_util::future::BoxFuture;

use super::{NoTravelTime, TravelTimes};
use crate::dispatch::Point;

const SECONDS_PER_HOUR: f64 = 3_600.0;

/// The great circle, made longer as streets make it, at one speed.
#[derive(Clone, Copy, Debug)]
pub(super) struct StraightLine {
    /// How much longer the way by road is.
    pub(super) detour: f64,
    pub(super) km_per_hour: f64,
}

impl StraightLine {
    /// What it comes to; a speed of nothing is not among the settings.
    pub(super) fn time(self, from: Point, to: Point) -> Duration {
        let hours = from.distance_km(to) * self.detour / self.km_per_hour;
        Duration::try_from_secs_f64(hours * SECONDS_PER_HOUR).unwrap_or_default()
    }
}

impl TravelTimes for StraightLine {
    fn travel_time(&self, from: Point, to: Point) -> BoxFuture<'_, Result<Duration, NoTravelTime>> {
        Box::pin(future::ready(Ok(self.time(from, to))))
    }
}
