//! What people see before they act.

use holodrive_protocol::{OrderId, OrderStatus};

use super::super::{
    super::{OrderRecord, store},
    deeds::{Cast, Deed},
};
use crate::storage::{StorageError, Tx};

/// One deed in so many is done blindly.
const BLIND: usize = 4;

/// The open orders, as they stood a moment ago. When somebody acts by it, others have acted.
#[derive(Default)]
pub(super) struct View {
    open: Vec<OrderRecord>,
    pub(super) newest: OrderId,
}

/// What somebody is about to do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Intent {
    pub(super) deed: Deed,
    pub(super) order: OrderId,
    /// Whether it could be done when he looked. Should it be refused, somebody else was quicker.
    pub(super) was_possible: bool,
}

impl View {
    pub(super) fn read(tx: &mut Tx<'_>) -> Result<Self, StorageError> {
        let newest = store::page(tx, store::Scope::All, None, OrderId::MAX, 1)?;
        Ok(Self { open: store::unfinished(tx)?, newest: newest.first().map_or(0, |order| order.id) })
    }

    /// The oldest order that is not over.
    pub(super) fn oldest(&self) -> Option<OrderId> {
        self.open.first().map(|order| order.id)
    }

    /// What becomes of a wish; `None` where he sees nothing to do.
    pub(super) fn aim(&self, deed: Deed, cast: &Cast) -> Option<Intent> {
        let intent = |was_possible| move |(deed, order)| Intent { deed, order, was_possible };
        match (deed, deed.which()) {
            (Deed::Create | Deed::Book(_), _) => {
                (self.open.len() < cast.most_open).then_some((deed, 0)).map(intent(true))
            }
            (_, None) => Some(intent(false)((deed, 0))),
            (_, Some(which)) => match self.possible(deed, which, cast) {
                Some(seen) => Some(intent(true)(seen)),
                None if cast.looks_before_accepting || !is_blind(which) => None,
                None => Some(intent(false)((deed, self.any(which)?))),
            },
        }
    }

    /// A deed of this kind for which he sees the occasion, be it his own or somebody else's.
    fn possible(&self, deed: Deed, which: usize, cast: &Cast) -> Option<(Deed, OrderId)> {
        match deed {
            _ if is_blind(which) => None,
            Deed::Accept(..) => nth(self.offers(cast), which, |who| Deed::Accept(who, which)),
            Deed::Decline(..) => nth(self.offers(cast), which, |who| Deed::Decline(who, which)),
            Deed::Release(..) => nth(self.trips(cast, is_on_the_way), which, |who| Deed::Release(who, which)),
            Deed::Unassign(_) => nth(self.trips(cast, is_on_the_way), which, |_| deed),
            Deed::Step(_, _, step) => {
                nth(self.trips(cast, |status| status == step.statuses().0), which, |who| Deed::Step(who, which, step))
            }
            Deed::Assign(who, _) if self.drives(cast, who) => None,
            Deed::Assign(..) => nth(self.orders(|status| !status.is_trip()), which, |()| deed),
            Deed::Cancel(..) => nth(self.orders(|status| status != OrderStatus::InProgress), which, |()| deed),
            _ => None,
        }
    }

    fn offers<'a>(&'a self, cast: &'a Cast) -> impl Iterator<Item = (OrderId, usize)> + Clone + 'a {
        let offers = self.open.iter().flat_map(|order| order.offers.iter().map(|offer| (order.id, offer.driver_id)));
        offers.filter_map(|(order, driver)| Some((order, cast.number(driver)?)))
    }

    fn trips<'a>(
        &'a self,
        cast: &'a Cast,
        stands: impl Fn(OrderStatus) -> bool + Clone + 'a,
    ) -> impl Iterator<Item = (OrderId, usize)> + Clone + 'a {
        let there = self.open.iter().filter(move |order| stands(order.status));
        there.filter_map(|order| Some((order.id, cast.number(order.driver_id?)?)))
    }

    fn drives(&self, cast: &Cast, who: usize) -> bool {
        self.trips(cast, OrderStatus::is_trip).any(|(_, driver)| driver == who)
    }

    fn orders(&self, stands: impl Fn(OrderStatus) -> bool + Clone) -> impl Iterator<Item = (OrderId, ())> + Clone {
        self.open.iter().filter(move |order| stands(order.status)).map(|order| (order.id, ()))
    }

    /// One that is open, or one of the newest.
    fn any(&self, which: usize) -> Option<OrderId> {
        let open = self.open.get(which % self.open.len().max(1)).map(|order| order.id);
        let newest = self.newest - i64::try_from(which).unwrap();
        open.filter(|_| which.is_multiple_of(2)).or_else(|| (newest > 0).then_some(newest))
    }
}

const fn is_blind(which: usize) -> bool {
    which.is_multiple_of(BLIND)
}

/// Whether a driver may still be parted from it.
fn is_on_the_way(status: OrderStatus) -> bool {
    matches!(status, OrderStatus::Accepted | OrderStatus::Arrived)
}

fn nth<T>(
    mut seen: impl Iterator<Item = (OrderId, T)> + Clone,
    which: usize,
    deed: impl FnOnce(T) -> Deed,
) -> Option<(Deed, OrderId)> {
    let count = seen.clone().count().max(1);
    seen.nth(which % count).map(|(order, who)| (deed(who), order))
}
