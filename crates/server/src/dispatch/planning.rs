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
        self.take_in(now);
        let overdue = self.pass_deadlines(now);
        let is_due = self.round_at(now).is_some_and(|at| at <= now);
        let matches = if is_due { self.find_matches(now) } else { Vec::new() };
        let deadline = self.deadlines.first().map(|(at, _)| *at);
        Plan { matches, overdue, wake_at: deadline.into_iter().chain(self.round_at(now)).min() }
    }

    /// Begins the searches that were put on the board since the last plan, or sets the alarm for when they begin.
    fn take_in(&mut self, now: Timestamp) {
        for order_id in std::mem::take(&mut self.incoming) {
            match self.waiting.get(&order_id).map(|search| search.search_from) {
                Some(begins_at) if begins_at > now => self.set_alarm(order_id, begins_at),
                _ => self.begin_search(order_id),
            }
        }
    }

    /// Has the order looked at again at this moment, unless it is looked at earlier.
    pub(super) fn set_alarm(&mut self, order_id: OrderId, at: Timestamp) {
        let Some(search) = self.waiting.get_mut(&order_id) else { return };
        let at = search.retry_at.map_or(at, |earlier| earlier.min(at));
        if let Some(before) = search.retry_at.replace(at) {
            self.deadlines.remove(&(before, Deadline::Retry(order_id)));
        }
        self.deadlines.insert((at, Deadline::Retry(order_id)));
    }

    /// Whether an offer or a search should have ended by now.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.passed(now).any(|(_, deadline)| !matches!(deadline, Deadline::Retry(_)))
    }

    fn passed(&self, now: Timestamp) -> impl Iterator<Item = (Timestamp, Deadline)> {
        self.deadlines.range(..=(now, Deadline::Retry(OrderId::MAX))).copied()
    }

    /// Lets searches begin and cool-downs end; tells whether an offer or a search has run out. Those stay until the database has ended them.
    fn pass_deadlines(&mut self, now: Timestamp) -> bool {
        let retry = |(at, deadline)| if let Deadline::Retry(order_id) = deadline { Some((at, order_id)) } else { None };
        for (at, order_id) in self.passed(now).filter_map(retry).collect::<Vec<_>>() {
            self.deadlines.remove(&(at, Deadline::Retry(order_id)));
            if let Some(search) = self.waiting.get_mut(&order_id) {
                search.retry_at = None;
            }
            self.begin_search(order_id);
        }
        self.is_overdue(now)
    }

    /// When what has changed is to be matched; `None` where nothing has.
    fn round_at(&mut self, now: Timestamp) -> Option<Timestamp> {
        // From now on the whole radius counts.
        if !self.is_scarce() {
            self.changed_orders.append(&mut self.held_back);
        }
        if !self.has_changes() {
            self.gathering_since = None;
            return None;
        }
        // Should the clock be set back, nobody waits until it has caught up.
        let since = self.gathering_since.filter(|since| *since <= now).unwrap_or(now);
        self.gathering_since = Some(since);
        Some(since.after(self.strategy.gathers_for()))
    }

    fn has_changes(&self) -> bool {
        !self.changed_orders.is_empty() || !self.changed_drivers.is_empty()
    }

    fn find_matches(&mut self, now: Timestamp) -> Vec<Match> {
        let strategy = Arc::clone(&self.strategy);
        let mut round = Round::begin(self, now);
        if round.is_automatic() {
            strategy.choose(&mut round);
        }
        let matches = round.end();
        // What a round leaves has been gathered already.
        let leaves_some = self.has_changes();
        self.gathering_since = leaves_some.then(|| now.before(strategy.gathers_for()));
        matches
    }
}
