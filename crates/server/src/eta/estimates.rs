//! What the routing service has said, for each driver and his destination, and what follows from it until it is asked again.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use holodrive_protocol::UserId;

use super::NoTravelTime;
use crate::dispatch::Point;

/// Who is on his way, and whither.
pub(super) type Way = (UserId, Point);

/// Ways that are asked about until those before them are forgotten; more than a city has trips.
const WAYS_MAX: usize = 20_000;
/// Requests that are under way or wait for their turn.
const ASKED_MAX: usize = 256;
/// After how many kilometres the service is asked again.
const MOVED_KM: f64 = 0.1;
/// How far its word reaches: beyond that the straight line alone counts.
const REACH_KM: f64 = 1.0;
/// How long its word counts where the driver stands still: traffic may have changed.
const LASTS: Duration = Duration::from_secs(60);
/// How long it is left alone about a way of which it knew nothing.
const PAUSE: Duration = Duration::from_secs(5);

/// Travel times of ways. Nobody tells when a trip or an offer has ended; who is on his way is asked about every few seconds,
/// which keeps his way among the recent ones.
#[derive(Debug, Default)]
pub(super) struct Estimates {
    recent: HashMap<Way, Estimate>,
    /// What was recent until there were enough of those. When that happens again, they are forgotten.
    earlier: HashMap<Way, Estimate>,
    asked: usize,
}

/// What is known of a way.
#[derive(Clone, Copy, Debug)]
struct Estimate {
    told: Option<Told>,
    is_asked: bool,
    /// No question before this moment.
    ask_at: Instant,
}

/// The service's word.
#[derive(Clone, Copy, Debug)]
struct Told {
    from: Point,
    time: Duration,
    at: Instant,
}

impl Told {
    /// The time from elsewhere: as much longer or shorter as the straight line is.
    fn time(&self, from: Point, straight: impl Fn(Point) -> Duration) -> Option<Duration> {
        let is_near = self.from.distance_km(from) < REACH_KM;
        is_near.then(|| (self.time + straight(from)).saturating_sub(straight(self.from)))
    }

    fn is_old(&self, from: Point, now: Instant) -> bool {
        self.from.distance_km(from) >= MOVED_KM || now.saturating_duration_since(self.at) >= LASTS
    }
}

impl Estimates {
    /// How long the way takes from here, as far as is known.
    pub(super) fn time(&mut self, way: Way, from: Point, straight: impl Fn(Point) -> Duration) -> Option<Duration> {
        self.find(way)?.told?.time(from, straight)
    }

    /// Whether the service is to be asked now; then [`Estimates::learn`] must follow.
    pub(super) fn begin(&mut self, way: Way, from: Point, now: Instant) -> bool {
        if self.asked >= ASKED_MAX {
            return false;
        }
        let estimate = match self.find(way) {
            Some(known) => known,
            None => self.remember(way, Estimate { told: None, is_asked: false, ask_at: now }),
        };
        let is_due = estimate.ask_at <= now && estimate.told.is_none_or(|told| told.is_old(from, now));
        if is_due && !estimate.is_asked {
            estimate.is_asked = true;
            self.asked += 1;
            return true;
        }
        false
    }

    /// The service has answered. Where no road leads there, nothing else is to be expected as long as its word counts.
    pub(super) fn learn(&mut self, way: Way, from: Point, answer: &Result<Duration, NoTravelTime>, now: Instant) {
        self.asked = self.asked.saturating_sub(1);
        let Some(estimate) = self.find(way) else { return };
        estimate.is_asked = false;
        match answer {
            Ok(time) => estimate.told = Some(Told { from, time: *time, at: now }),
            Err(NoTravelTime::NoRoute) => (estimate.told, estimate.ask_at) = (None, now + LASTS),
            Err(NoTravelTime::Failed(_)) => estimate.ask_at = now + PAUSE,
        }
    }

    fn find(&mut self, way: Way) -> Option<&mut Estimate> {
        if let Some(estimate) = self.earlier.remove(&way) {
            return Some(self.remember(way, estimate));
        }
        self.recent.get_mut(&way)
    }

    fn remember(&mut self, way: Way, estimate: Estimate) -> &mut Estimate {
        if self.recent.len() >= WAYS_MAX {
            self.earlier = std::mem::take(&mut self.recent);
        }
        self.recent.entry(way).or_insert(estimate)
    }
}
