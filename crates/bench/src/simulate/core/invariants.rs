//! What must be true after every step.

use std::{collections::BTreeMap, time::Duration};

use holodrive::dispatch::Board;
use holodrive_protocol::{OrderId, OrderStatus, Timestamp, UserId};

use super::ledger::{Ledger, OfferState, Order};
use crate::simulate::outcome::Violations;

/// By how much a deadline may be missed.
const LATE: Duration = Duration::from_secs(2);

/// Looks at everything that is not over.
pub(super) fn check(ledger: &Ledger, board: &Board, now: Timestamp, violations: &mut Violations) {
    for order_id in &ledger.open {
        check_open(ledger, *order_id, now, violations);
    }
    check_drivers(ledger, now, violations);
    let (on_board, in_ledger) = (board.counts(), (ledger.live_offers(), ledger.waiting_orders()));
    if on_board != in_ledger {
        violations.add(|| {
            format!("{now}: live offers and waiting orders: the board has {on_board:?}, the ledger {in_ledger:?}")
        });
    }
}

/// I1 (offers of an order), I5 (status and offers agree), I6 (deadlines are met), I7 (nobody is forgotten).
fn check_open(ledger: &Ledger, order_id: OrderId, now: Timestamp, violations: &mut Violations) {
    let Some(order) = ledger.order(order_id) else { return };
    let (live, limit) = (order.live.len(), ledger.terms.offers_per_order);
    if live > limit {
        violations.add(|| format!("{now}: order {order_id} has {live} live offers, and may have {limit}"));
    }
    if (live > 0) != (order.status == OrderStatus::Pending) {
        violations.add(|| format!("{now}: order {order_id} is {} with {live} live offers", order.status.as_str()));
    }
    if let Some(offer) = live_offers(ledger, order).find(|offer| offer.times.expires_at.after(LATE) < now) {
        violations
            .add(|| format!("{now}: an offer of order {order_id} should have ended at {}", offer.times.expires_at));
    }
    let longest = ledger.terms.search_timeout + ledger.terms.offer_timeout + LATE;
    if now.since(order.created_at) > longest {
        violations.add(|| format!("{now}: order {order_id} is {} since {}", order.status.as_str(), order.created_at));
    }
}

fn live_offers<'l>(ledger: &'l Ledger, order: &'l Order) -> impl Iterator<Item = &'l super::ledger::Offer> {
    order.live.iter().filter_map(|id| ledger.offer(*id))
}

/// I2 (offers of a driver), I3 and I4 (trips and drivers agree).
fn check_drivers(ledger: &Ledger, now: Timestamp, violations: &mut Violations) {
    let limit = ledger.terms.offers_per_driver;
    if let Some((driver_id, held)) = ledger.too_many_offers(limit) {
        violations.add(|| format!("{now}: driver {driver_id} has {held} live offers, and may have {limit}"));
    }
    let is_his = |(driver_id, order_id): &(&UserId, &OrderId)| {
        ledger.order(**order_id).is_some_and(|order| order.driver_id == Some(**driver_id))
    };
    if let Some((driver_id, order_id)) = ledger.trips.iter().find(|trip| !is_his(trip)) {
        violations.add(|| format!("{now}: driver {driver_id} drives order {order_id}, which is not his"));
    }
}

/// At the end: every offer and every order is over, and who drove an order accepted it, alone.
pub(super) fn check_end(ledger: &Ledger, violations: &mut Violations) {
    let mut accepted: BTreeMap<OrderId, u32> = BTreeMap::new();
    for offer in &ledger.offers {
        match offer.state {
            OfferState::Live => violations.add(|| format!("an offer of order {} never ended", offer.times.order_id)),
            OfferState::Accepted => *accepted.entry(offer.times.order_id).or_default() += 1,
            _ => {}
        }
    }
    for (order_id, order) in ledger.orders() {
        let (drivers, accepted) = (u32::from(order.driver_id.is_some()), accepted.get(&order_id).copied().unwrap_or(0));
        if !order.status.is_over() || drivers != accepted {
            let status = order.status.as_str();
            violations.add(|| format!("at the end order {order_id} is {status}, and {accepted} drivers accepted it"));
        }
    }
}
