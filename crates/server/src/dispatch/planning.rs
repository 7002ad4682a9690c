//! What the board wants done: which driver is asked for which order, and when to look again.

use std::ops::ControlFlow::{Break, Continue};

use holodrive_protocol::{OrderId, Timestamp, UserId};

use super::{
    board::{Board, Deadline},
    fleet::FleetRules,
    model::{Match, Plan, Rules},
    search::Search,
};

impl Board {
    /// What is to be done now. The matches count as being made until they are reported back.
    pub fn plan(&mut self, now: Timestamp) -> Plan {
        self.fleet.expire(now);
        let overdue = self.pass_deadlines(now);
        let matches = if self.rules.automatic { self.find_matches(now) } else { Vec::new() };
        self.changed_orders.clear();
        self.changed_drivers.clear();
        Plan { matches, overdue, wake_at: self.deadlines.first().map(|(at, _)| *at) }
    }

    /// Whether an offer or a search should have ended by now.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.passed(now).any(|(_, deadline)| !matches!(deadline, Deadline::Retry(_)))
    }

    fn passed(&self, now: Timestamp) -> impl Iterator<Item = (Timestamp, Deadline)> {
        self.deadlines.range(..=(now, Deadline::Retry(OrderId::MAX))).copied()
    }

    /// Lets cool-downs end; tells whether an offer or a search has run out. Those stay until the database has ended them.
    fn pass_deadlines(&mut self, now: Timestamp) -> bool {
        let retry = |(at, deadline)| if let Deadline::Retry(order_id) = deadline { Some((at, order_id)) } else { None };
        for (at, order_id) in self.passed(now).filter_map(retry).collect::<Vec<_>>() {
            self.deadlines.remove(&(at, Deadline::Retry(order_id)));
            if let Some(search) = self.waiting.get_mut(&order_id) {
                search.retry_at = None;
                self.changed_orders.insert(order_id);
            }
        }
        self.is_overdue(now)
    }

    fn find_matches(&mut self, now: Timestamp) -> Vec<Match> {
        let mut matches = Vec::new();
        for order_id in std::mem::take(&mut self.changed_orders) {
            matches.extend(self.match_order(order_id, now));
        }
        // Who has told no position is asked last.
        let changed = std::mem::take(&mut self.changed_drivers).into_iter();
        let (placed, unplaced): (Vec<_>, Vec<_>) = changed.partition(|driver_id| self.position(*driver_id).is_some());
        for driver_id in placed.into_iter().chain(unplaced) {
            while let Some(found) = self.match_driver(driver_id, now) {
                matches.push(found);
            }
        }
        matches
    }

    /// The nearest driver for an order.
    fn match_order(&mut self, order_id: OrderId, now: Timestamp) -> Option<Match> {
        let rules = self.fleet_rules();
        let search = self.waiting.get(&order_id).filter(|search| search.asking.is_none())?;
        let is_barred = |driver_id| search.is_barred(driver_id, now);
        let mut nearest = None;
        if search.is_open(now) {
            let _ = self.fleet.walk(search.pickup, rules.radius_km, now, |id, driver, km| {
                if driver.is_eligible(now, rules) && !is_barred(id) {
                    nearest = Some((id, km));
                    return Break(());
                }
                Continue(())
            });
        }
        let Some((driver_id, distance_km)) = nearest else {
            self.retry_later(order_id, now);
            return None;
        };
        Some(self.ask(Match { order_id, driver_id, distance_km }))
    }

    /// The nearest order for a driver.
    fn match_driver(&mut self, driver_id: UserId, now: Timestamp) -> Option<Match> {
        let rules = self.fleet_rules();
        let driver = self.fleet.driver(driver_id).filter(|driver| driver.is_eligible(now, rules))?;
        let is_open = |search: &Search| search.is_open(now) && !search.is_barred(driver_id, now);
        let (order_id, distance_km) = match driver.position.map(|position| position.point) {
            None => self.waiting.iter().find(|(_, search)| is_open(search)).map(|(id, _)| (*id, None))?,
            Some(at) => {
                let mut nearest = None;
                let _ = self.pickups.walk(at, rules.radius_km, |id, km| {
                    if self.waiting.get(&id).is_some_and(is_open) {
                        nearest = Some((id, Some(km)));
                        return Break(());
                    }
                    Continue(())
                });
                nearest?
            }
        };
        Some(self.ask(Match { order_id, driver_id, distance_km }))
    }

    fn ask(&mut self, found: Match) -> Match {
        self.fleet.update(found.driver_id, |driver| driver.offers += 1);
        if let Some(search) = self.waiting.get_mut(&found.order_id) {
            search.asking = Some(found.driver_id);
        }
        found
    }

    fn retry_later(&mut self, order_id: OrderId, now: Timestamp) {
        let Some(search) = self.waiting.get_mut(&order_id) else { return };
        let next = search.next_chance(now);
        if let Some(at) = std::mem::replace(&mut search.retry_at, next) {
            self.deadlines.remove(&(at, Deadline::Retry(order_id)));
        }
        self.deadlines.extend(next.map(|at| (at, Deadline::Retry(order_id))));
    }

    fn fleet_rules(&self) -> FleetRules {
        let Rules { radius_km, stale_after, offers_per_driver, .. } = self.rules;
        FleetRules { stale_after, offers_per_driver, radius_km }
    }
}
