//! One round of matching: what changed since the last one, and who would suit whom.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
};

use holodrive_protocol::{OrderId, Timestamp, UserId};

use super::{
    board::Board,
    fleet::Driver,
    geo::Point,
    model::Match,
    search::{Search, credit_km},
};

/// Orders that one round looks at, and drivers: whoever is beyond comes up in the next one. Everything else that wants the
/// board, positions and commits among it, gets it in between.
const AT_ONCE: usize = 128;
/// The oldest orders, among which one is sought for a driver who has told no position: he may ask very often.
const LOOKED_THROUGH: usize = 1_000;

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

impl Candidate {
    /// The best one comes first; those whose distance is not known come last.
    pub(super) fn sort(candidates: &mut [Self]) {
        let is_unplaced = |candidate: &Self| candidate.distance_km.is_none();
        candidates.sort_by(|one, other| {
            is_unplaced(one).cmp(&is_unplaced(other)).then(one.cost_km.total_cmp(&other.cost_km))
        });
    }
}

/// One round of matching.
pub(super) struct Round<'b> {
    board: &'b mut Board,
    now: Timestamp,
    orders: BTreeSet<OrderId>,
    drivers: BTreeSet<UserId>,
    /// How far the nearest driver is whom the radius of an order does not reach yet.
    beyond: BTreeMap<OrderId, f64>,
    matches: Vec<Match>,
}

impl<'b> Round<'b> {
    pub(super) fn begin(board: &'b mut Board, now: Timestamp) -> Self {
        let orders = some_of(&mut board.changed_orders);
        let drivers = some_of(&mut board.changed_drivers);
        Self { board, now, orders, drivers, beyond: BTreeMap::new(), matches: Vec::new() }
    }

    pub(super) fn is_automatic(&self) -> bool {
        self.board.rules.automatic
    }

    /// Orders for which something changed, the oldest first.
    pub(super) fn orders(&self) -> Vec<OrderId> {
        self.orders.iter().copied().collect()
    }

    /// Drivers for whom something changed.
    pub(super) fn drivers(&self) -> Vec<UserId> {
        self.drivers.iter().copied().collect()
    }

    /// The nearest drivers for an order, no more than `limit`.
    pub(super) fn drivers_for(&mut self, order_id: OrderId, limit: usize) -> Vec<Candidate> {
        let (found, beyond_km) = self.drivers_near(order_id, limit);
        match beyond_km {
            Some(km) => _ = self.beyond.insert(order_id, km),
            None => _ = self.beyond.remove(&order_id),
        }
        found
    }

    /// Also gives how far the first driver is who is beyond the radius, unless enough were found before.
    fn drivers_near(&self, order_id: OrderId, limit: usize) -> (Vec<Candidate>, Option<f64>) {
        let (mut found, mut beyond_km) = (Vec::new(), None);
        let Some(search) = self.open_search(order_id) else { return (found, beyond_km) };
        let (limit_km, reach_km) = (self.board.rules.radius.limit_km, self.board.reach_km(search, self.now));
        let credit_km = self.credit_km(search);
        self.board.fleet.walk_free(search.pickup, limit_km, |driver_id, driver, km| {
            if self.suits(search, driver_id, driver) {
                if km > reach_km {
                    beyond_km = Some(km);
                    return ControlFlow::Break(());
                }
                let cost_km = km - credit_km;
                found.push(Candidate { order_id, driver_id, distance_km: Some(km), cost_km });
            }
            if found.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        let unplaced = self.board.fleet.free_unplaced();
        let unplaced = unplaced.filter(|(driver_id, driver)| self.suits(search, *driver_id, driver));
        let cost_km = limit_km - credit_km;
        let unplaced = unplaced.map(|(driver_id, _)| Candidate { order_id, driver_id, distance_km: None, cost_km });
        found.extend(unplaced.take(limit - found.len()));
        (found, beyond_km)
    }

    /// The best orders for a driver, no more than `limit`.
    pub(super) fn orders_for(&mut self, driver_id: UserId, limit: usize) -> Vec<Candidate> {
        let Some(driver) = self.free_driver(driver_id) else { return Vec::new() };
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
            if km > self.board.reach_km(search, self.now) {
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
        let orders = self.board.ages.iter().map(|(_, order_id)| *order_id).take(LOOKED_THROUGH);
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
        let width = self.board.strategy.offers_per_order();
        self.board.waiting.get(&order_id).filter(|search| search.is_open(self.now, width))
    }

    fn free_driver(&self, driver_id: UserId) -> Option<&Driver> {
        let driver = self.board.fleet.driver(driver_id)?;
        driver.obstacle(self.now, self.board.fleet_rules()).is_none().then_some(driver)
    }

    /// Whether nothing keeps this driver from being asked for this order, but for how far he is.
    fn suits(&self, search: &Search, driver_id: UserId, driver: &Driver) -> bool {
        driver.obstacle(self.now, self.board.fleet_rules()).is_none()
            && search.obstacle(driver_id, driver, self.now).is_none()
    }

    /// Whether a pair still suits after what was chosen since it was found.
    pub(super) fn still_suits(&self, pair: &Candidate) -> bool {
        let driver = self.free_driver(pair.driver_id);
        driver.is_some_and(|driver| self.search_for(pair.order_id, pair.driver_id, driver).is_some())
    }

    /// Offers are made, all at the same time: the drivers count as asked until they are reported back.
    pub(super) fn ask(&mut self, pairs: &[Candidate]) {
        let reaches_km: Vec<_> = pairs.iter().map(|pair| self.reach_km(pair.order_id)).collect();
        for pair in pairs {
            self.board.fleet.update(pair.driver_id, |driver| driver.offers += 1);
            if let Some(search) = self.board.waiting.get_mut(&pair.order_id) {
                search.asking.push(pair.driver_id);
            }
            self.board.relist(pair.order_id);
        }
        // Who has got another of these orders must not look as if he could have got this one.
        for (pair, reach_km) in pairs.iter().zip(reaches_km) {
            let Candidate { order_id, driver_id, distance_km, .. } = *pair;
            let Some(search) = self.board.waiting.get(&order_id) else { continue };
            let considered = self.board.considered_for(search, self.now, reach_km, Some(driver_id));
            self.matches.push(Match { order_id, driver_id, distance_km, considered });
        }
    }

    /// Has those who have got none of these pairs looked at again in the next round, which is at once: others may be left
    /// for them, who were not among the best.
    pub(super) fn put_back(&mut self, pairs: &[Candidate]) {
        for pair in pairs {
            if self.open_search(pair.order_id).is_some() {
                self.board.changed_orders.insert(pair.order_id);
            }
            if self.free_driver(pair.driver_id).is_some() {
                self.board.changed_drivers.insert(pair.driver_id);
            }
        }
    }

    /// Notes when to look again at orders that want more than they got.
    pub(super) fn end(mut self) -> Vec<Match> {
        for order_id in std::mem::take(&mut self.orders) {
            self.board.held_back.remove(&order_id);
            let next_km = self.beyond.remove(&order_id).filter(|_| self.open_search(order_id).is_some());
            self.look_again(order_id, next_km);
        }
        self.matches
    }

    /// Sets the order's alarm to the first moment at which time alone makes an offer possible. The radius grows to the
    /// driver who is `next_km` away, or counts as a whole before.
    fn look_again(&mut self, order_id: OrderId, next_km: Option<f64>) {
        let Some(search) = self.board.waiting.get(&order_id) else { return };
        let next_chance = search.next_chance(self.now, self.board.rules.radius, next_km);
        if next_km.is_some() {
            self.board.held_back.insert(order_id);
        }
        if let Some(at) = next_chance {
            self.board.set_alarm(order_id, at);
        }
    }

    fn reach_km(&self, order_id: OrderId) -> f64 {
        let search = self.board.waiting.get(&order_id);
        search.map_or(0.0, |search| self.board.reach_km(search, self.now))
    }

    fn credit_km(&self, search: &Search) -> f64 {
        search.credit_km(self.board.rules.age_weight_km, self.now)
    }

    /// That of the oldest order.
    fn most_credit_km(&self) -> f64 {
        let oldest = self.board.ages.first();
        oldest.map_or(0.0, |(since, _)| credit_km(*since, self.board.rules.age_weight_km, self.now))
    }
}

fn some_of<T: Ord>(changed: &mut BTreeSet<T>) -> BTreeSet<T> {
    std::iter::from_fn(|| changed.pop_first()).take(AT_ONCE).collect()
}
