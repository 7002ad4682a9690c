use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use holodrive_protocol::{OrderId, UserId};
use pathfinding::{kuhn_munkres::kuhn_munkres_min, matrix::Matrix};

use super::{
    super::round::{Candidate, Round},
    PARTNERS, Strategy,
};

/// Orders that are assigned at a time: the work grows with their square, and the board is held meanwhile.
const ORDERS_AT_ONCE: usize = 128;
/// What a pair costs that does not suit: more than all those together that do, so that as many orders as possible are matched.
const NO_PAIR: i64 = 1_000_000_000_000;

/// What came up within a time is matched together, so that the sum of all ways is the least: the assignment problem, solved
/// by the Hungarian method (Kuhn 1955, Munkres 1957).
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) gathers_for: Duration,
}

impl Strategy for Batch {
    fn gathers_for(&self) -> Duration {
        self.gathers_for
    }

    fn choose(&self, round: &mut Round<'_>) {
        let all = candidates(round);
        let mut pairs = best_for_each_order(all.clone());
        while !pairs.is_empty() {
            round.ask(&assign(&first_orders(&pairs)));
            pairs.retain(|pair| round.still_suits(pair));
        }
        round.put_back(&all);
    }
}

/// The pairs among which to choose, by order.
fn candidates(round: &mut Round<'_>) -> Vec<Candidate> {
    let mut pairs = BTreeMap::new();
    for order_id in round.orders() {
        pairs.extend(round.drivers_for(order_id, PARTNERS).into_iter().map(keyed));
    }
    for driver_id in round.drivers() {
        pairs.extend(round.orders_for(driver_id, PARTNERS).into_iter().map(keyed));
    }
    pairs.into_values().collect()
}

fn keyed(pair: Candidate) -> ((OrderId, UserId), Candidate) {
    ((pair.order_id, pair.driver_id), pair)
}

/// Many drivers may have the same best order: of them it keeps the best, too.
fn best_for_each_order(mut pairs: Vec<Candidate>) -> Vec<Candidate> {
    pairs
        .chunk_by_mut(|one, other| one.order_id == other.order_id)
        .flat_map(|pairs| {
            Candidate::sort(pairs);
            pairs.iter().copied().take(PARTNERS)
        })
        .collect()
}

/// The pairs of so many orders as are assigned at a time.
fn first_orders(pairs: &[Candidate]) -> Vec<Candidate> {
    pairs.chunk_by(|one, other| one.order_id == other.order_id).take(ORDERS_AT_ONCE).flatten().copied().collect()
}

/// Of these pairs as many as can be without anybody twice, and of all such choices the one that costs least.
fn assign(pairs: &[Candidate]) -> Vec<Candidate> {
    let orders: Vec<_> = distinct(pairs.iter().map(|pair| pair.order_id));
    let drivers: Vec<_> = distinct(pairs.iter().map(|pair| pair.driver_id));
    // The method wants at least as many columns as rows; nobody is in those that are added.
    let mut costs = Matrix::new(orders.len(), drivers.len().max(orders.len()), NO_PAIR);
    let mut by_place = BTreeMap::new();
    for pair in pairs {
        let (Ok(row), Ok(column)) = (orders.binary_search(&pair.order_id), drivers.binary_search(&pair.driver_id))
        else {
            continue;
        };
        costs[(row, column)] = metres(pair.cost_km);
        by_place.insert((row, column), *pair);
    }
    let (_, columns) = kuhn_munkres_min(&costs);
    columns.into_iter().enumerate().filter_map(|place| by_place.remove(&place)).collect()
}

fn distinct<T: Ord>(keys: impl Iterator<Item = T>) -> Vec<T> {
    keys.collect::<BTreeSet<_>>().into_iter().collect()
}

#[expect(clippy::cast_possible_truncation, reason = "clamped")]
fn metres(km: f64) -> i64 {
    (km * 1_000.0).clamp(-1e9, 1e9).round() as i64
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::cast_possible_wrap, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pair(order_id: OrderId, driver: i64, cost_km: f64) -> Candidate {
        Candidate { order_id, driver_id: UserId::Int(driver), distance_km: Some(cost_km), cost_km }
    }

    fn total(pairs: &[Candidate]) -> i64 {
        pairs.iter().map(|pair| metres(pair.cost_km)).sum()
    }

    #[test]
    fn the_nearest_is_not_always_the_best_for_all() {
        let pairs = [pair(1, 1, 1.0), pair(1, 2, 1.2), pair(2, 1, 1.1), pair(2, 2, 9.0)];
        let chosen: Vec<_> = assign(&pairs).iter().map(|pair| (pair.order_id, pair.driver_id)).collect();
        assert_eq!(chosen, [(1, UserId::Int(2)), (2, UserId::Int(1))]);
    }

    #[test]
    fn more_pairs_come_before_shorter_ways() {
        let pairs = [pair(1, 1, 0.1), pair(1, 2, 50.0), pair(2, 1, 60.0)];
        assert_eq!(assign(&pairs).len(), 2);
    }

    /// The most pairs, and the least sum of so many, by trying all.
    fn best(orders: &[OrderId], pairs: &[Candidate], taken: &mut Vec<UserId>) -> (usize, i64) {
        let Some((order, rest)) = orders.split_first() else { return (0, 0) };
        let mut found = best(rest, pairs, taken);
        for pair in pairs.iter().filter(|pair| pair.order_id == *order) {
            if taken.contains(&pair.driver_id) {
                continue;
            }
            taken.push(pair.driver_id);
            let (count, sum) = best(rest, pairs, taken);
            taken.pop();
            let with = (count + 1, sum + metres(pair.cost_km));
            if with.0 > found.0 || with.0 == found.0 && with.1 < found.1 {
                found = with;
            }
        }
        found
    }

    proptest! {
        #[test]
        fn the_assignment_is_the_best_there_is(
            costs in prop::collection::btree_map((1..6_i64, 1..6_i64), -5.0..5.0_f64, 0..25),
        ) {
            let pairs: Vec<_> = costs.iter().map(|((order, driver), km)| pair(*order, *driver, *km)).collect();
            prop_assume!(!pairs.is_empty());
            let chosen = assign(&pairs);
            let orders = distinct(pairs.iter().map(|pair| pair.order_id));
            prop_assert_eq!((chosen.len(), total(&chosen)), best(&orders, &pairs, &mut Vec::new()));
            prop_assert_eq!(distinct(chosen.iter().map(|pair| pair.driver_id)).len(), chosen.len());
        }
    }
}
