//! The part of the database: orders and offers, and which transitions there are. Like there, each has a guard, and whoever
//! comes too late changes nothing.

mod rows;
mod transitions;

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use holodrive::{
    config::Config,
    dispatch::{Needs, Rules, Waiting},
};
use holodrive_protocol::{OfferId, OrderId, OrderStatus, Timestamp, UserId};

pub(crate) use rows::{Accepted, Offer, Order, Overdue};

/// What the transitions go by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) offer_timeout: Duration,
    unreachable_timeout: Option<Duration>,
    reoffer_after: Duration,
    pub(crate) search_timeout: Duration,
    offers_per_driver: usize,
    offers_per_order: usize,
}

impl Terms {
    pub(crate) fn new(config: &Config, rules: &Rules) -> Self {
        Self {
            offer_timeout: config.order_offer_timeout,
            unreachable_timeout: config.order_offer_unreachable_timeout,
            reoffer_after: config.order_reoffer_after,
            search_timeout: config.order_search_timeout,
            offers_per_driver: config.order_offers_per_driver as usize,
            offers_per_order: rules.strategy.offers_per_order(),
        }
    }
}

/// All orders and offers.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) terms: Terms,
    /// Numbered from 1, one after the other.
    orders: Vec<Order>,
    pub(crate) offers: Vec<Offer>,
    /// Orders that nobody has and that are not over.
    pub(crate) open: BTreeSet<OrderId>,
    /// Live offers and searches by the moment at which they run out.
    deadlines: BTreeSet<(Timestamp, Overdue)>,
    held: HashMap<UserId, BTreeSet<OfferId>>,
    pub(crate) trips: HashMap<UserId, OrderId>,
}

impl Ledger {
    pub(crate) fn new(terms: Terms) -> Self {
        Self {
            terms,
            orders: Vec::new(),
            offers: Vec::new(),
            open: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            held: HashMap::new(),
            trips: HashMap::new(),
        }
    }

    /// What the dispatcher is told of an order that wants a driver, or one more; `None` for one that does not.
    pub(crate) fn waiting(&self, order_id: OrderId) -> Option<Waiting> {
        let order = self.order(order_id).filter(|_| self.open.contains(&order_id))?;
        (order.live.len() < self.terms.offers_per_order).then(|| Waiting {
            order_id,
            pickup: order.pickup,
            search_from: order.created_at,
            search_until: order.search_until,
            needs: Needs::default(),
            barred: order.barred.clone(),
            offered: order.live.iter().filter_map(|id| Some(self.offer(*id)?.times.driver_id)).collect(),
        })
    }

    /// What had run out by now, in the order of time. A search with a live offer waits for that.
    pub(crate) fn overdue(&self, now: Timestamp) -> Vec<Overdue> {
        let until = (now, Overdue::Search(OrderId::MAX));
        let is_pending = |id| self.order(id).is_some_and(|order| order.status == OrderStatus::Pending);
        let counts = |what: &Overdue| !matches!(what, Overdue::Search(id) if is_pending(*id));
        self.deadlines.range(..=until).map(|(_, what)| *what).filter(counts).collect()
    }

    pub(crate) fn order(&self, order_id: OrderId) -> Option<&Order> {
        self.orders.get(usize::try_from(order_id).ok()?.checked_sub(1)?)
    }

    /// All orders with their numbers.
    pub(crate) fn orders(&self) -> impl Iterator<Item = (OrderId, &Order)> {
        (1..).zip(&self.orders)
    }

    pub(crate) fn offer(&self, offer_id: OfferId) -> Option<&Offer> {
        self.offers.get(usize::try_from(offer_id).ok()?)
    }

    /// The live offers of a driver.
    pub(crate) fn held_by(&self, driver_id: UserId) -> Vec<OfferId> {
        self.held.get(&driver_id).into_iter().flatten().copied().collect()
    }

    /// How many orders want a driver, or one more.
    pub(crate) fn waiting_orders(&self) -> usize {
        let has_room = |order: &&Order| order.live.len() < self.terms.offers_per_order;
        self.open.iter().filter_map(|id| self.order(*id)).filter(has_room).count()
    }

    /// How many offers are live.
    pub(crate) fn live_offers(&self) -> usize {
        self.held.values().map(BTreeSet::len).sum()
    }
}
