//! Deadlines that have passed, by name: so that what the database has ended already can be taken off the board.

use holodrive_protocol::{OfferId, OrderId, Timestamp};

use super::board::{Board, Deadline};

impl Board {
    /// What should have ended by now, the oldest first and no more than `limit`: an offer of an order, or the order's search.
    pub fn overdue(&self, now: Timestamp, limit: usize) -> Vec<(OrderId, Option<OfferId>)> {
        let passed = self.deadlines.iter().take_while(|(at, _)| *at <= now);
        let overdue = passed.filter_map(|(_, deadline)| match deadline {
            Deadline::Offer(offer_id) => Some((self.offers.get(offer_id)?.order_id, Some(*offer_id))),
            Deadline::Search(order_id) => Some((*order_id, None)),
            Deadline::Retry(_) => None,
        });
        overdue.take(limit).collect()
    }
}
