//! One round of matching: what changed since the last one, and who would suit whom.

use std::{cell::OnceCell, collections::BTreeSet, ops::ControlFlow};

use holodrive_protocol::{OrderId, Timestamp, UserId, order::Obstacle};

use super::{
    board::{Board, Deadline},
    fleet::{Driver, FleetRules},
    geo::Point,
    model::Match,
    search::{Search, credit_km},
};

/// A pair that would suit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    pub(super) order_id: OrderId,
    pub(super) driver_id: UserId,
    /// From the driver to the pickup, where that is known.
    pub(super) distance_km: Option<f64>,
    /// Of several pairs the one with the smallest is the best: kilometres, less what waiting is worth.
    pub(super) cost_km: f64,
}

/// One round of matching.
pub(super) struct Round<'b> {
    board: &'b mut Board,
    now: Timestamp,
    orders: BTreeSet<OrderId>,
    drivers: BTreeSet<UserId>,
    /// Whether more orders than drivers wait; counted when it matters.
    is_scarce: OnceCell<bool>,
    matches: Vec<Match>,
}

impl<'b> Round<'b> {
    pub(super) fn begin(board: &'b mut Board, now: Timestamp) -> Self {
        let orders = std::mem::take(&mut board.changed_orders);
        let drivers = std::mem::take(&mut board.changed_drivers);
        Self { board, now, orders, drivers, is_scarce: OnceCell::new(), matches: Vec::new() }
    }

    pub(super) fn is_automatic(&self) -> bool {
        self.board.rules.automatic
    }

    /// Orders for which something changed, the oldest first.
    pub(super) fn orders(&self) -> Vec<OrderId> {
        self.orders.iter().copied().collect()
    }

    /// Drivers for whom something changed. Who has told no position comes last.
    pub(super) fn drivers(&self) -> Vec<UserId> {
        let is_placed = |id: &UserId| self.board.position(*id).is_some();
        let (placed, unplaced): (Vec<_>, Vec<_>) = self.drivers.iter().copied().partition(is_placed);
        placed.into_iter().chain(unplaced).collect()
    }

    /// The nearest drivers for an order, no more than `limit`.
    pub(super) fn drivers_for(&self, order_id: OrderId, limit: usize) -> Vec<Candidate> {
        let mut found = Vec::new();
        let Some(search) = self.open_search(order_id) else { return found };
        let cost_km = |km: Option<f64>| km.unwrap_or(self.board.rules.radius.limit_km) - self.credit_km(search);
        self.walk_drivers(search, |driver_id, obstacle, distance_km| {
            if obstacle.is_none() {
                found.push(Candidate { order_id, driver_id, distance_km, cost_km: cost_km(distance_km) });
            }
            if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        found
    }

    /// The best orders for a driver, no more than `limit`.
    pub(super) fn orders_for(&mut self, driver_id: UserId, limit: usize) -> Vec<Candidate> {
        let (now, rules) = (self.now, self.fleet_rules());
        let Some(driver) = self.board.fleet.driver(driver_id) else { return Vec::new() };
        if driver.obstacle(now, rules).is_some() {
            return Vec::new();
        }
        let (found, too_far) = match driver.position {
            Some(position) => self.orders_near(driver_id, driver, position.point, limit),
            None => (self.orders_anywhere(driver_id, driver, limit), Vec::new()),
        };
        for (order_id, km) in too_far {
            self.look_again(order_id, Some(km));
        }
        found
    }

    /// Also gives those whose radius has not grown so far yet.
    fn orders_near(
        &self,
        driver_id: UserId,
        driver: &Driver,
        at: Point,
        limit: usize,
    ) -> (Vec<Candidate>, Vec<(OrderId, f64)>) {
        let (mut found, mut too_far): (Vec<Candidate>, _) = (Vec::new(), Vec::new());
        let most_credit_km = self.most_credit_km();
        self.board.pickups.walk(at, self.board.rules.radius.limit_km, |order_id, km| {
            let worst = if found.len() < limit { None } else { found.last() };
            if worst.is_some_and(|worst| km - most_credit_km > worst.cost_km) {
                return ControlFlow::Break(());
            }
            let Some(search) = self.search_for(order_id, driver_id, driver) else { return ControlFlow::Continue(()) };
            if km > self.radius_km(search) {
                too_far.push((order_id, km));
            } else {
                let cost_km = km - self.credit_km(search);
                let place = found.partition_point(|other| other.cost_km <= cost_km);
                found.insert(place, Candidate { order_id, driver_id, distance_km: Some(km), cost_km });
                found.truncate(limit);
            }
            ControlFlow::Continue(())
        });
        (found, too_far)
    }

    /// For a driver who has told no position: the oldest ones.
    fn orders_anywhere(&self, driver_id: UserId, driver: &Driver, limit: usize) -> Vec<Candidate> {
        let orders = self.board.ages.iter().map(|(_, order_id)| *order_id);
        let found = orders.filter_map(|order_id| {
            let search = self.search_for(order_id, driver_id, driver)?;
            let cost_km = self.board.rules.radius.limit_km - self.credit_km(search);
            Some(Candidate { order_id, driver_id, distance_km: None, cost_km })
        });
        found.take(limit).collect()
    }

    /// The order's search, if it may be offered to this driver.
    fn search_for(&self, order_id: OrderId, driver_id: UserId, driver: &Driver) -> Option<&Search> {
        self.open_search(order_id).filter(|search| search.obstacle(driver_id, driver, self.now).is_none())
    }

    fn open_search(&self, order_id: OrderId) -> Option<&Search> {
        let width = self.board.rules.strategy.offers_per_order();
        self.board.waiting.get(&order_id).filter(|search| search.is_open(self.now, width))
    }

    /// Shows who is near the pickup, the nearest first, and what keeps him from being asked.
    fn walk_drivers(
        &self,
        search: &Search,
        mut visit: impl FnMut(UserId, Option<Obstacle>, Option<f64>) -> ControlFlow<()>,
    ) {
        let reach_km = self.radius_km(search);
        self.board.walk_drivers(search, self.now, self.board.rules.radius.limit_km, |driver_id, obstacle, km| {
            let too_far = km.filter(|km| *km > reach_km).map(|_| Obstacle::TooFar);
            visit(driver_id, obstacle.or(too_far), km)
        });
    }

    /// An offer is made: the driver counts as asked until it is reported back.
    pub(super) fn ask(&mut self, candidate: Candidate) {
        let Candidate { order_id, driver_id, distance_km, .. } = candidate;
        let considered = self.board.considered(order_id, self.now, Some(driver_id));
        self.board.fleet.update(driver_id, |driver| driver.offers += 1);
        if let Some(search) = self.board.waiting.get_mut(&order_id) {
            search.asking.push(driver_id);
        }
        self.board.relist(order_id);
        self.matches.push(Match { order_id, driver_id, distance_km, considered });
    }

    /// Notes when to look again at orders that want more than they got.
    pub(super) fn end(mut self) -> Vec<Match> {
        for order_id in std::mem::take(&mut self.orders) {
            let next_km = if self.is_automatic() { self.next_km(order_id) } else { None };
            self.look_again(order_id, next_km);
        }
        self.matches
    }

    /// How far the nearest driver is whom the order's radius will reach.
    fn next_km(&self, order_id: OrderId) -> Option<f64> {
        let search = self.open_search(order_id)?;
        let reach_km = self.radius_km(search);
        let mut next_km = None;
        if reach_km < self.board.rules.radius.limit_km {
            self.board.walk_drivers(search, self.now, self.board.rules.radius.limit_km, |_, obstacle, km| {
                next_km = km.filter(|km| obstacle.is_none() && *km > reach_km);
                if next_km.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
        }
        next_km
    }

    /// Sets the order's alarm to the first moment at which time alone makes an offer possible.
    fn look_again(&mut self, order_id: OrderId, next_km: Option<f64>) {
        let radius = self.board.rules.radius;
        let Some(search) = self.board.waiting.get_mut(&order_id) else { return };
        let Some(at) = search.next_chance(self.now, radius, next_km) else { return };
        let at = search.retry_at.map_or(at, |earlier| earlier.min(at));
        if let Some(before) = search.retry_at.replace(at) {
            self.board.deadlines.remove(&(before, Deadline::Retry(order_id)));
        }
        self.board.deadlines.insert((at, Deadline::Retry(order_id)));
    }

    fn radius_km(&self, search: &Search) -> f64 {
        let radius = self.board.rules.radius;
        let reach_km = search.radius_km(radius, self.now);
        if reach_km < radius.limit_km && self.is_scarce() { reach_km } else { radius.limit_km }
    }

    fn is_scarce(&self) -> bool {
        *self.is_scarce.get_or_init(|| {
            let width = self.board.rules.strategy.offers_per_order();
            let open = self.board.waiting.values().filter(|search| search.is_open(self.now, width)).count();
            open > self.board.fleet.waiting()
        })
    }

    fn credit_km(&self, search: &Search) -> f64 {
        search.credit_km(self.board.rules.age_weight_km, self.now)
    }

    /// That of the oldest order.
    fn most_credit_km(&self) -> f64 {
        let oldest = self.board.ages.first();
        oldest.map_or(0.0, |(since, _)| credit_km(*since, self.board.rules.age_weight_km, self.now))
    }

    fn fleet_rules(&self) -> FleetRules {
        self.board.fleet_rules()
    }
}
