//! What must be true after every step. How many offers and drivers an order may have is not asked here: the ledger refuses
//! what is more, and that the board wants it is noted where it is refused.

use std::{collections::BTreeMap, time::Duration};

use holodrive::dispatch::Board;
use holodrive_protocol::{OrderId, Timestamp};

use super::ledger::{Ledger, Order};
use crate::simulate::outcome::{OfferEnd, Violations};

/// By how much a deadline may be missed.
const LATE: Duration = Duration::from_secs(2);

/// Looks at everything that is not over.
pub(super) fn check(ledger: &Ledger, board: &Board, now: Timestamp, violations: &mut Violations) {
    for order_id in &ledger.open {
        check_open(ledger, *order_id, now, violations);
    }
    let (on_board, in_ledger) = (board.counts(), (ledger.live_offers(), ledger.waiting_orders()));
    if on_board != in_ledger {
        violations.add(|| {
            format!("{now}: live offers and waiting orders: the board has {on_board:?}, the ledger {in_ledger:?}")
        });
    }
}

/// I6 (deadlines are met), I7 (nobody is forgotten).
fn check_open(ledger: &Ledger, order_id: OrderId, now: Timestamp, violations: &mut Violations) {
    let Some(order) = ledger.order(order_id) else { return };
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

/// At the end: every offer and every order is over, and who drove an order accepted it, alone.
pub(super) fn check_end(ledger: &Ledger, violations: &mut Violations) {
    let mut accepted: BTreeMap<OrderId, u32> = BTreeMap::new();
    for offer in &ledger.offers {
        match offer.end {
            None => violations.add(|| format!("an offer of order {} never ended", offer.times.order_id)),
            Some(OfferEnd::Accepted) => *accepted.entry(offer.times.order_id).or_default() += 1,
            Some(_) => {}
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
