//! One order that searches.

use std::collections::HashMap;

use holodrive_protocol::{Timestamp, UserId};

use super::{
    geo::Point,
    grid::Place,
    model::{NEVER, Waiting},
};

#[derive(Debug)]
pub(super) struct Search {
    pub(super) pickup: Point,
    /// Where the order is kept among all pickups.
    pub(super) place: Place,
    pub(super) search_until: Timestamp,
    barred: HashMap<UserId, Timestamp>,
    /// The driver to whom an offer is being made.
    pub(super) asking: Option<UserId>,
    /// After an attempt that failed, when the next may be made.
    pub(super) paused_until: Option<Timestamp>,
    /// When the order is looked at again although nothing changed.
    pub(super) retry_at: Option<Timestamp>,
}

impl Search {
    pub(super) fn new(order: Waiting, place: Place) -> Self {
        let Waiting { pickup, search_until, barred, .. } = order;
        let mut search = Self {
            pickup,
            place,
            search_until,
            barred: HashMap::new(),
            asking: None,
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

    pub(super) fn is_barred(&self, driver: UserId, now: Timestamp) -> bool {
        self.barred.get(&driver).is_some_and(|until| *until > now)
    }

    /// Whether an offer may be made.
    pub(super) fn is_open(&self, now: Timestamp) -> bool {
        self.asking.is_none() && self.search_until > now && self.pause_ends(now).is_none()
    }

    /// When the passing of time alone makes an offer possible again.
    pub(super) fn next_chance(&self, now: Timestamp) -> Option<Timestamp> {
        let cool_downs = self.barred.values().copied().filter(|until| *until > now && *until < NEVER);
        self.pause_ends(now).or_else(|| cool_downs.min())
    }

    fn pause_ends(&self, now: Timestamp) -> Option<Timestamp> {
        self.paused_until.filter(|until| *until > now)
    }
}
