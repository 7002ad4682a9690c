//! How orders and drivers are brought together.

mod batch;
mod immediate;

use std::{fmt::Debug, sync::Arc, time::Duration};

use super::{model::StrategyKind, round::Round};
use batch::Batch;
use immediate::Immediate;

/// Partners that are looked at for an order or a driver: the best one is hardly ever farther down.
const PARTNERS: usize = 8;

/// Chooses who is asked for which order.
pub(super) trait Strategy: Debug + Send + Sync {
    /// How long changes are gathered before a round matches them.
    fn gathers_for(&self) -> Duration {
        Duration::ZERO
    }

    /// Live offers that an order may have at once.
    fn offers_per_order(&self) -> usize {
        1
    }

    /// Chooses among those for whom something changed, by [`Round::ask`].
    fn choose(&self, round: &mut Round<'_>);
}

/// The strategy of that kind.
pub(super) fn of(kind: StrategyKind) -> Arc<dyn Strategy> {
    match kind {
        StrategyKind::Sequential => Arc::new(Immediate { offers_per_order: 1 }),
        StrategyKind::Broadcast(offers) => Arc::new(Immediate { offers_per_order: offers as usize }),
        StrategyKind::Batch(time) => Arc::new(Batch { gathers_for: time }),
    }
}
