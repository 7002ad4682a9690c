//! What the board wants done: which driver is asked for which order, and when to look again.

use std::sync::Arc;

use holodrive_protocol::{OrderId, Timestamp};

use super::{
    board::{Board, Deadline},
    model::{Match, Plan},
    round::Round,
};

impl Board {
    /// What is to be done now. The matches count as being made until they are reported back.
    pub fn plan(&mut self, now: Timestamp) -> Plan {
        self.fleet.expire(now);
        let overdue = self.pass_deadlines(now);
        let round_at = self.round_at(now);
        let is_due = round_at.is_some_and(|at| at <= now);
        let matches = if is_due { self.find_matches(now) } else { Vec::new() };
        let next_round = round_at.filter(|_| !is_due);
        let deadline = self.deadlines.first().map(|(at, _)| *at);
        Plan { matches, overdue, wake_at: deadline.into_iter().chain(next_round).min() }
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

    /// When what has changed is to be matched; `None` where nothing has.
    fn round_at(&mut self, now: Timestamp) -> Option<Timestamp> {
        if self.changed_orders.is_empty() && self.changed_drivers.is_empty() {
            return None;
        }
        // Should the clock be set back, nobody waits until it has caught up.
        let since = self.gathering_since.filter(|since| *since <= now).unwrap_or(now);
        self.gathering_since = Some(since);
        Some(since.after(self.strategy.gathers_for()))
    }

    fn find_matches(&mut self, now: Timestamp) -> Vec<Match> {
        self.gathering_since = None;
        let strategy = Arc::clone(&self.strategy);
        let mut round = Round::begin(self, now);
        if round.is_automatic() {
            strategy.choose(&mut round);
        }
        round.end()
    }
}
