//! Why this driver, and why not the others.

use std::ops::ControlFlow;

use holodrive_protocol::{
    OrderId, Timestamp, UserId,
    order::{Considered, Obstacle},
};

use super::{
    board::Board,
    fleet::FleetRules,
    geo::rounded_km,
    model::{Rules, Waiting},
    search::Search,
};

/// Drivers that an explanation names at the most.
const NAMED: usize = 12;
/// How many times the radius an explanation looks, to tell who would be there if it were larger.
const LOOKED_BEYOND: f64 = 2.0;

impl Board {
    /// [`Board::candidates`] for an order that waits.
    pub fn considered(&self, order_id: OrderId, now: Timestamp) -> Vec<Considered> {
        let search = self.waiting.get(&order_id);
        search.map_or_else(Vec::new, |search| self.considered_for(search, now, self.reach_km(search, now), None))
    }

    /// Who comes into question for an order, the nearest first, and what keeps each of them from being asked; drivers who are
    /// offline are left out.
    pub fn candidates(&self, order: Waiting, now: Timestamp) -> Vec<Considered> {
        let search = Search::new(order);
        self.considered_for(&search, now, self.reach_km(&search, now), None)
    }

    /// The list ends with the driver who was chosen, if any.
    pub(super) fn considered_for(
        &self,
        search: &Search,
        now: Timestamp,
        reach_km: f64,
        chosen: Option<UserId>,
    ) -> Vec<Considered> {
        let mut considered = Vec::new();
        let limit_km = self.rules.radius.limit_km;
        self.walk_drivers(search, now, limit_km * LOOKED_BEYOND, |driver_id, skipped, km| {
            let too_far = km.filter(|km| *km > reach_km).map(|_| Obstacle::TooFar);
            // He has the offer already.
            let skipped = if chosen == Some(driver_id) { None } else { skipped.or(too_far) };
            if skipped != Some(Obstacle::Offline) {
                considered.push(Considered { driver_id, distance_km: km.map(rounded_km), skipped });
            }
            let is_done = considered.len() == NAMED || chosen == Some(driver_id);
            if is_done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        considered
    }

    /// Shows who is within the radius, the nearest first, and what keeps him from being asked.
    fn walk_drivers(
        &self,
        search: &Search,
        now: Timestamp,
        radius_km: f64,
        mut visit: impl FnMut(UserId, Option<Obstacle>, Option<f64>) -> ControlFlow<()>,
    ) {
        let rules = self.fleet_rules();
        self.fleet.walk(search.pickup, radius_km, |id, driver, km| {
            visit(id, driver.obstacle(now, rules).or_else(|| search.obstacle(id, driver, now)), km)
        });
    }

    pub(super) fn fleet_rules(&self) -> FleetRules {
        let Rules { stale_after, offers_per_driver, .. } = self.rules;
        FleetRules { stale_after, offers_per_driver }
    }
}
