//! One order that wants a driver.

use std::collections::HashMap;

use holodrive_protocol::{Timestamp, UserId, order::Obstacle};

use super::{
    fleet::Driver,
    geo::Point,
    grid::Place,
    model::{NEVER, Needs, Radius, Waiting, minutes},
};

#[derive(Debug)]
pub(super) struct Search {
    pub(super) pickup: Point,
    /// Where the order is kept among all pickups; `None` where it is not.
    pub(super) place: Option<Place>,
    pub(super) search_from: Timestamp,
    pub(super) search_until: Timestamp,
    needs: Needs,
    barred: HashMap<UserId, Timestamp>,
    /// Drivers to whom the database refused to offer it, and until when they are not asked again.
    refused: HashMap<UserId, Timestamp>,
    /// Drivers to whom an offer is being made.
    pub(super) asking: Vec<UserId>,
    /// Drivers who have a live offer.
    pub(super) offered: Vec<UserId>,
    /// After an attempt that failed, when the next may be made.
    pub(super) paused_until: Option<Timestamp>,
    /// When the order is looked at again although nothing changed.
    pub(super) retry_at: Option<Timestamp>,
}

impl Search {
    pub(super) fn new(order: Waiting) -> Self {
        let Waiting { pickup, search_from, search_until, needs, barred, offered, .. } = order;
        let mut search = Self {
            pickup,
            place: None,
            search_from,
            search_until,
            needs,
            barred: HashMap::new(),
            refused: HashMap::new(),
            asking: Vec::new(),
            offered,
            paused_until: None,
            retry_at: None,
        };
        for (driver, until) in barred {
            search.bar(driver, until);
        }
        search
    }

    /// Keeps the order from a driver. Nothing shortens that: who gave it back stays barred, whatever staff do meanwhile.
    pub(super) fn bar(&mut self, driver: UserId, until: Timestamp) {
        let barred_until = self.barred.entry(driver).or_insert(until);
        *barred_until = until.max(*barred_until);
    }

    /// Keeps the order from a driver for a moment: the database knows better than the board whether he is free.
    pub(super) fn refuse(&mut self, driver: UserId, until: Timestamp) {
        self.refused.insert(driver, until);
    }

    /// What keeps this order from being offered to this driver, whatever else he may be offered.
    pub(super) fn obstacle(&self, driver_id: UserId, driver: &Driver, now: Timestamp) -> Option<Obstacle> {
        if self.asking.contains(&driver_id) || self.offered.contains(&driver_id) {
            return Some(Obstacle::Offered);
        }
        match self.barred.get(&driver_id) {
            Some(&NEVER) => Some(Obstacle::GaveBack),
            Some(until) if *until > now => Some(Obstacle::Cooling),
            _ if self.refused.get(&driver_id).is_some_and(|until| *until > now) => Some(Obstacle::Busy),
            _ => self.needs.unmet_by(driver.vehicle.as_deref()),
        }
    }

    /// Whether one more offer may be made, where an order may have so many at once.
    pub(super) fn is_open(&self, now: Timestamp, width: usize) -> bool {
        self.wants_more(width) && self.search_from <= now && self.search_until > now && self.pause_ends(now).is_none()
    }

    /// Whether it has fewer offers than it may have, those included that are being made.
    pub(super) fn wants_more(&self, width: usize) -> bool {
        self.asking.len() + self.offered.len() < width
    }

    /// How far a driver may be where drivers are scarce.
    pub(super) fn radius_km(&self, radius: Radius, now: Timestamp) -> f64 {
        radius.at(now.since(self.search_from))
    }

    /// The kilometres by which waiting has brought it forward.
    pub(super) fn credit_km(&self, weight_km: f64, now: Timestamp) -> f64 {
        credit_km(self.search_from, weight_km, now)
    }

    /// When the passing of time alone makes an offer possible: a pause or a cool-down ends, or the radius has grown to
    /// the driver who is `next_km` away.
    pub(super) fn next_chance(&self, now: Timestamp, radius: Radius, next_km: Option<f64>) -> Option<Timestamp> {
        if self.search_from > now {
            return Some(self.search_from);
        }
        let bars = self.barred.values().chain(self.refused.values()).copied();
        let cool_downs = bars.filter(|until| *until > now && *until < NEVER);
        let reached = next_km.and_then(|km| radius.reaches_after(km)).map(|age| self.search_from.after(age));
        self.pause_ends(now).or_else(|| cool_downs.chain(reached.filter(|at| *at > now)).min())
    }

    fn pause_ends(&self, now: Timestamp) -> Option<Timestamp> {
        self.paused_until.filter(|until| *until > now)
    }
}

/// The kilometres by which waiting since then brings an order forward.
pub(super) fn credit_km(since: Timestamp, weight_km: f64, now: Timestamp) -> f64 {
    weight_km * minutes(now.since(since))
}
