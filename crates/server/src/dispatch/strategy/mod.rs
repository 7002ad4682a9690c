//! How orders and drivers are brought together.

mod batch;
mod immediate;

use std::{fmt::Debug, sync::Arc, time::Duration};

use super::{model::StrategyKind, round::Round};
use batch::Batch;
use immediate::Immediate;

/// Chooses who is asked for which order.
pub(super) trait Strategy: Debug + Send + Sync {
    /// How long changes are gathered before a round matches them.
    fn gathers_for(&self) -> Duration {
        Duration::ZERO
    }

    /// Chooses among those for whom something changed, by [`Round::ask`].
    fn choose(&self, round: &mut Round<'_>);
}

/// The strategy of that kind.
pub(super) fn of(kind: StrategyKind) -> Arc<dyn Strategy> {
    match kind {
        StrategyKind::Sequential | StrategyKind::Broadcast(_) => Arc::new(Immediate),
        StrategyKind::Batch(time) => Arc::new(Batch { gathers_for: time }),
    }
}
