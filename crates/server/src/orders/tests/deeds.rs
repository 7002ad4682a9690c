//! What people do to orders, each in a transaction of its own, in words that random tests can choose from.

use std::{sync::Arc, time::Duration};

use holodrive_protocol::{OrderId, UserId, http::DriverStatus};
use proptest::prelude::*;

use super::{
    super::{NewOrder, OrderError, OrderRecord, Orders, store},
    TripStep,
    town::{Town, north},
};
use crate::{
    accounts::User,
    storage::{StorageError, Tx},
};

/// Orders among which somebody finds the one that he means, beside those that are open.
const NEWEST: i64 = 12;
/// How long a driver on his way may be silent.
const SILENT_FOR: Duration = Duration::from_secs(20);
/// How far ahead somebody may order, in seconds.
const AHEAD: u64 = 90;

/// Who takes part.
pub(super) struct Cast {
    pub(super) drivers: Vec<Arc<User>>,
    rider: Arc<User>,
    staff: Arc<User>,
    request: NewOrder,
    /// Whether drivers accept only what they have just seen to be theirs.
    pub(super) looks_before_accepting: bool,
    /// Orders that may be open at once, so that few are many people's concern.
    pub(super) most_open: usize,
}

impl Cast {
    pub(super) fn new(town: &Town, drivers: Vec<Arc<User>>) -> Self {
        let (rider, staff, request) = (Arc::clone(&town.rider), Arc::clone(&town.staff), town.request());
        Self { drivers, rider, staff, request, looks_before_accepting: false, most_open: usize::MAX }
    }

    /// Which of the drivers it is.
    pub(super) fn number(&self, driver_id: UserId) -> Option<usize> {
        self.drivers.iter().position(|driver| driver.id == driver_id)
    }
}

/// What somebody does. Where there are two numbers, the first is the driver's, and the second says which order is meant.
#[derive(Clone, Copy, Debug)]
pub(super) enum Deed {
    Create,
    /// An order for later, in so many seconds.
    Book(u64),
    Accept(usize, usize),
    Decline(usize, usize),
    Release(usize, usize),
    Step(usize, usize, TripStep),
    Assign(usize, usize),
    Unassign(usize),
    Cancel(usize, bool),
    Poll(usize),
    Status(usize, bool),
    Locate(usize, u8),
    Sweep,
    /// Looks after drivers who are silent on their way.
    Watch,
}

/// Anything, by so many drivers.
pub(super) fn deed(drivers: usize) -> impl Strategy<Value = Deed> {
    use Deed::{
        Accept, Assign, Book, Cancel, Create, Decline, Locate, Poll, Release, Status, Step, Sweep, Unassign, Watch,
    };
    let (driver, order) = (0..drivers, 0..12_usize);
    let step = prop_oneof![Just(TripStep::Arrive), Just(TripStep::Start), Just(TripStep::Complete)];
    let pair = (driver.clone(), order.clone());
    prop_oneof![
        6 => Just(Create),
        1 => (1..AHEAD).prop_map(Book),
        14 => pair.clone().prop_map(|(driver, order)| Accept(driver, order)),
        5 => pair.clone().prop_map(|(driver, order)| Decline(driver, order)),
        3 => pair.clone().prop_map(|(driver, order)| Release(driver, order)),
        10 => (driver.clone(), order.clone(), step).prop_map(|(driver, order, step)| Step(driver, order, step)),
        4 => pair.prop_map(|(driver, order)| Assign(driver, order)),
        1 => order.clone().prop_map(Unassign),
        3 => (order, any::<bool>()).prop_map(|(order, staff)| Cancel(order, staff)),
        2 => driver.clone().prop_map(Poll),
        2 => (driver.clone(), prop::bool::weighted(0.7)).prop_map(|(driver, online)| Status(driver, online)),
        3 => (driver, 0..14_u8).prop_map(|(driver, km)| Locate(driver, km)),
        2 => Just(Sweep),
        1 => Just(Watch),
    ]
}

impl Deed {
    /// What kind of deed it is.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Create | Self::Book(_) => "create",
            Self::Accept(..) => "accept",
            Self::Decline(..) => "decline",
            Self::Release(..) => "release",
            Self::Step(..) => "step",
            Self::Assign(..) => "assign",
            Self::Unassign(_) => "unassign",
            Self::Cancel(..) => "cancel",
            Self::Poll(_) => "poll",
            Self::Status(..) => "status",
            Self::Locate(..) => "locate",
            Self::Sweep => "sweep",
            Self::Watch => "watch",
        }
    }

    /// Which of several orders is meant; `None` where no order is.
    pub(super) const fn which(self) -> Option<usize> {
        match self {
            Self::Accept(_, which)
            | Self::Decline(_, which)
            | Self::Release(_, which)
            | Self::Step(_, which, _)
            | Self::Assign(_, which)
            | Self::Unassign(which)
            | Self::Cancel(which, _) => Some(which),
            Self::Create
            | Self::Book(_)
            | Self::Poll(_)
            | Self::Status(..)
            | Self::Locate(..)
            | Self::Sweep
            | Self::Watch => None,
        }
    }

    /// The order that is meant, by what can be seen now: most often one's own, sometimes any. `None` for who sees nothing
    /// to do.
    pub(super) fn aim(self, cast: &Cast, tx: &mut Tx<'_>) -> Result<Option<OrderId>, StorageError> {
        let Some(which) = self.which() else { return Ok(Some(0)) };
        let own = match self {
            Self::Accept(who, _) if cast.looks_before_accepting => {
                let now = tx.now();
                let live = |order: &OrderRecord| order.offers.iter().any(|offer| offer.expires_at > now);
                return Ok(store::offered_to(tx, cast.drivers[who].id)?
                    .iter()
                    .find(|order| live(order))
                    .map(|it| it.id));
            }
            Self::Accept(who, _) | Self::Decline(who, _) => {
                store::offered_to(tx, cast.drivers[who].id)?.into_iter().next()
            }
            Self::Release(who, _) | Self::Step(who, ..) => store::trip_of(tx, cast.drivers[who].id)?,
            _ => None,
        };
        match own {
            Some(order) if !which.is_multiple_of(4) => Ok(Some(order.id)),
            _ => any_order(tx, which),
        }
    }

    /// Does it to that order.
    pub(super) fn act(self, id: OrderId, cast: &Cast, orders: &Arc<Orders>, tx: &mut Tx<'_>) -> Result<(), OrderError> {
        let driver = |who: usize| &cast.drivers[who];
        match self {
            Self::Create => orders.create(tx, &cast.request).map(drop),
            Self::Book(seconds) => {
                let pickup_at = Some(tx.now().after(Duration::from_secs(seconds)));
                orders.create(tx, &NewOrder { pickup_at, ..cast.request.clone() }).map(drop)
            }
            Self::Accept(who, _) => orders.accept(tx, id, driver(who), None).map(drop),
            Self::Decline(who, _) => orders.decline(tx, id, driver(who).id, None).map(drop),
            Self::Release(who, _) => orders.release(tx, id, driver(who).id).map(drop),
            Self::Step(who, _, step) => orders.step(tx, id, driver(who).id, step).map(drop),
            Self::Assign(who, _) => orders.assign(tx, id, driver(who).id, Some(cast.staff.id)).map(drop),
            Self::Unassign(_) => orders.unassign(tx, id, Some(cast.staff.id)).map(drop),
            Self::Cancel(_, true) => orders.cancel(tx, id, &cast.staff).map(drop),
            Self::Cancel(_, false) => orders.cancel(tx, id, &cast.rider).map(drop),
            Self::Poll(who) => orders.poll(tx, driver(who).id).map(drop),
            Self::Status(who, true) => Ok(orders.set_status(tx, driver(who).id, DriverStatus::Online)?),
            Self::Status(who, false) => Ok(orders.set_status(tx, driver(who).id, DriverStatus::Offline)?),
            Self::Locate(who, km) => Ok(orders.set_location(tx, driver(who).id, north(km.into()))?),
            Self::Sweep => orders.sweep(tx).map(drop),
            Self::Watch => orders.look_after_contact(tx, SILENT_FOR, true, 0).map(drop),
        }
    }
}

/// One that is open, or one of the newest.
fn any_order(tx: &mut Tx<'_>, which: usize) -> Result<Option<OrderId>, StorageError> {
    let open = store::unfinished(tx)?;
    let orders = if open.is_empty() || which.is_multiple_of(3) {
        store::page(tx, store::Scope::All, None, OrderId::MAX, NEWEST)?
    } else {
        open
    };
    Ok(orders.get(which % orders.len().max(1)).map(|order| order.id))
}
