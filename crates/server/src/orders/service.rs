use std::{sync::Arc, time::Duration};

use holodrive_protocol::{OfferId, OrderId, OrderStatus, Timestamp, UserId, rider::RiderServerMessage};
use serde_json::json;

use super::{
    DriverOrdersEndpoint, RiderOrdersEndpoint,
    arrivals::Arrivals,
    driver_store,
    elsewhere::Elsewhere,
    error::OrderError,
    events::{DriverEvent, DriverEventKind, DriverFact, RiderEvent, RiderFact, Topics},
    live_board::LiveBoard,
    positions::Positions,
    pushes::PushAlarm,
    record::{NewOrder, OrderRecord},
    snapshots::Announced,
    store::{self, SearchTimes},
    texts::RiderNotice,
};
use crate::{
    accounts::Accounts,
    channel_layer::Outlet,
    chat::Chat,
    config::{Config, DispatchMode, DispatchStrategy},
    dispatch::{Board, Change, NEVER, Radius, Rules, StrategyKind, Waiting},
    eta::Eta,
    fanout::Hub,
    gateway::Endpoint,
    hooks::{DriverOrders, Hook},
    notifications::Notifications,
    storage::{Storage, StorageError, Tx},
    telemetry::Metrics,
};

/// How far ahead somebody may order.
const SCHEDULED_AHEAD: Duration = Duration::from_hours(30 * 24);

/// The orders of this installation, and the drivers as far as orders are concerned.
pub struct Orders {
    pub(super) config: Arc<Config>,
    pub(super) storage: Storage,
    pub(super) accounts: Arc<Accounts>,
    pub(super) notifications: Arc<Notifications>,
    pub(super) chat: Arc<Chat>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) driver_orders: Option<Hook<DriverOrders>>,
    pub(super) board: Arc<LiveBoard>,
    pub(super) driver_hub: Arc<Hub<UserId, DriverEvent>>,
    pub(super) rider_hub: Arc<Hub<UserId, RiderEvent>>,
    pub(super) topics: Topics,
    pub(super) positions: Arc<Positions>,
    pub(super) elsewhere: Arc<Elsewhere>,
    pub(super) push_alarm: PushAlarm,
    pub(super) arrivals: Arc<Arrivals>,
    pub(super) rules: Rules,
    pub(super) announced: Announced,
    outlet: Outlet,
}

/// What [`Orders`] is made of.
pub struct OrdersParts {
    /// All settings.
    pub config: Arc<Config>,
    /// The database.
    pub storage: Storage,
    /// Users and groups.
    pub accounts: Arc<Accounts>,
    /// Tells riders.
    pub notifications: Arc<Notifications>,
    /// Brings rider and driver together.
    pub chat: Arc<Chat>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Knows what drivers are shown before our own orders, where it is on.
    pub driver_orders: Option<Hook<DriverOrders>>,
    /// Knows when drivers arrive.
    pub eta: Eta,
}

impl Orders {
    /// Reads what is unfinished, and is ready to serve.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn load(parts: OrdersParts) -> Result<Arc<Self>, StorageError> {
        let OrdersParts { config, storage, accounts, notifications, chat, metrics, driver_orders, eta } = parts;
        let rules = Rules::from(&*config);
        let board = Arc::new(LiveBoard::new(rules));
        let arrivals = Arc::new(Arrivals::new(eta));
        let clock = || Arc::clone(storage.clock());
        let positions = Arc::new(Positions::new(Arc::clone(&arrivals), Arc::clone(&board), clock()));
        let elsewhere = Arc::new(Elsewhere::new(Arc::clone(&board), clock()));
        let (driver_hub, rider_hub) = (Hub::new(), Hub::new());
        let orders = Arc::new(Self {
            topics: Topics::new(&storage, &board, &positions, &elsewhere, &driver_hub, &rider_hub, &arrivals),
            board,
            driver_hub,
            rider_hub,
            push_alarm: PushAlarm::default(),
            positions,
            elsewhere,
            arrivals,
            rules,
            announced: Announced::default(),
            outlet: Outlet::default(),
            config,
            storage,
            accounts,
            notifications,
            chat,
            metrics,
            driver_orders,
        });
        let loading = Arc::clone(&orders);
        if let Err(error) = orders.storage.join(move |tx| loading.fill_board(tx)).await {
            tracing::error!(%error, "the database cannot store anything; what it holds is served meanwhile");
            let loading = Arc::clone(&orders);
            orders.storage.read(move |tx| loading.fill_board(tx)).await?;
        }
        Ok(orders)
    }

    /// Makes an order, which searches at once, or some time before the rider wants to be picked up.
    ///
    /// # Errors
    /// [`OrderError::TooManyOrders`], [`OrderError::PickupTime`], or a failing database.
    pub fn create(self: &Arc<Self>, tx: &mut Tx<'_>, new: &NewOrder) -> Result<OrderRecord, OrderError> {
        if let Some(limit) = self.config.orders_per_rider
            && store::open_orders(tx, new.rider_id)? >= i64::from(limit)
        {
            return Err(OrderError::TooManyOrders);
        }
        let now = tx.now();
        if new.pickup_at.is_some_and(|at| at <= now || at > later(now, SCHEDULED_AHEAD)) {
            return Err(OrderError::PickupTime);
        }
        let search = self.search_times(new.pickup_at, now, now);
        let order = OrderRecord::new(store::insert(tx, new, search)?, new, search, now);
        let event = store::record_event(tx, order.id, "created", Some(new.rider_id), &json!({}))?;
        self.tell_rider(tx, &order, event);
        self.change_board(tx, Change::Search(wanted(&order, Vec::new())));
        Ok(order)
    }

    /// When drivers are asked for an order that searches from now on: since when it has waited counts, unless it is to wait
    /// until shortly before the pickup. Who has booked is looked for until the pickup, and then as long as who has not.
    pub(super) fn search_times(&self, pickup_at: Option<Timestamp>, since: Timestamp, now: Timestamp) -> SearchTimes {
        let begins = pickup_at.map(|at| at.before(self.config.order_schedule_lead)).filter(|begins| *begins > now);
        let until = later(pickup_at.map_or(now, |at| at.max(now)), self.config.order_search_timeout);
        SearchTimes { from: begins.unwrap_or(since), until }
    }

    /// After the commit, the dispatcher looks for a driver.
    pub(super) fn search(&self, tx: &mut Tx<'_>, order: &OrderRecord) -> Result<(), StorageError> {
        let waiting = self.waiting(tx, order)?;
        self.change_board(tx, Change::Search(waiting));
        Ok(())
    }

    pub(super) fn waiting(&self, tx: &mut Tx<'_>, order: &OrderRecord) -> Result<Waiting, StorageError> {
        let past = store::past_offers(tx, order.id)?;
        let barred = past.into_iter().map(|(driver_id, state, ended_at)| {
            let until = if state == "released" { NEVER } else { later(ended_at, self.config.order_reoffer_after) };
            (driver_id, until)
        });
        Ok(wanted(order, barred.collect()))
    }

    /// Whether the dispatcher is to look for a driver, or for one more.
    pub(super) fn wants_drivers(&self, order: &OrderRecord) -> bool {
        matches!(order.status, OrderStatus::Searching | OrderStatus::Pending)
            && order.offers.len() < self.rules.strategy.offers_per_order()
            && !order.offers.iter().any(|offer| offer.is_exclusive)
    }

    /// After the commit, changes the view of every node's dispatcher.
    pub(super) fn change_board(&self, tx: &mut Tx<'_>, change: Change) {
        tx.publish(&self.topics.board, change);
    }

    /// The order as its rider and staff see it.
    pub(super) fn rider_view(&self, order: &OrderRecord) -> holodrive_protocol::Order {
        holodrive_protocol::Order { pin: order.pin_to_tell(), ..self.view(order) }
    }

    /// The order as its driver, or whoever it is offered to, sees it. Where he is concerns nobody before or after that.
    pub(super) fn view(&self, order: &OrderRecord) -> holodrive_protocol::Order {
        let driver = order.driver_id.or(order.offers.first().map(|offer| offer.driver_id));
        let driver = driver.filter(|_| order.status == OrderStatus::Pending || order.status.is_trip());
        let seen = driver.and_then(|driver| Some((driver, self.board.driver_at(driver)?)));
        let eta_seconds = seen.and_then(|(driver, at)| self.arrivals.seconds(order, driver, at));
        holodrive_protocol::Order { eta_seconds, ..order.view(seen.map(|(_, at)| at)) }
    }

    /// After the commit, tells the rider's connections how the order stands.
    pub(super) fn tell_rider(&self, tx: &mut Tx<'_>, order: &OrderRecord, seq: i64) {
        let (rider_id, view) = (order.rider_id, self.rider_view(order));
        let told = || RiderServerMessage::RiderOrderUpdated { order: Box::new(view.clone()) };
        self.outlet.tell(tx, RiderOrdersEndpoint::NAME, &rider_id, told);
        tx.publish(&self.topics.riders, RiderFact { rider_id, seq, order: view });
    }

    /// Notifies the rider, and tells his connections how the order stands.
    pub(super) fn notify_rider(
        &self,
        tx: &mut Tx<'_>,
        order: &OrderRecord,
        notice: RiderNotice,
        seq: i64,
    ) -> Result<(), StorageError> {
        self.notifications.notify(tx, &[order.rider_id], notice.of(order))?;
        self.tell_rider(tx, order, seq);
        Ok(())
    }

    /// After the commit, tells the driver's connections.
    pub(super) fn tell_driver(&self, tx: &mut Tx<'_>, driver_id: UserId, seq: i64, kind: DriverEventKind) {
        let now = tx.now();
        self.outlet.tell(tx, DriverOrdersEndpoint::NAME, &driver_id, || kind.message(now));
        tx.publish(&self.topics.drivers, DriverFact { driver_id, event: DriverEvent { seq, kind } });
    }

    /// Where Django's consumers are told.
    pub(crate) fn outlet(&self) -> &Outlet {
        &self.outlet
    }

    /// After the commit, counts.
    pub(super) fn count(&self, tx: &mut Tx<'_>, count: impl FnOnce(&Metrics) + Send + 'static) {
        let metrics = Arc::clone(&self.metrics);
        tx.after_commit(move || count(&metrics));
    }

    /// Makes the dispatcher's view of orders and drivers anew from the database.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn rebuild_board(self: &Arc<Self>) -> Result<(), StorageError> {
        let orders = Arc::clone(self);
        self.storage.write(move |tx| orders.fill_board(tx)).await
    }

    /// Runs on the writer, so that no change comes between what is read and what is heard.
    fn fill_board(&self, tx: &mut Tx<'_>) -> Result<(), StorageError> {
        self.board.update(Board::forget_orders);
        self.arrivals.forget_trips();
        let now = tx.now();
        // Who has been silent for longer is stale in any case.
        let unreached = driver_store::unreached(tx, now.before(self.rules.stale_after))?;
        for driver in driver_store::drivers(tx)? {
            self.restore_driver(&driver, unreached.get(&driver.driver_id).copied(), now);
        }
        for order in store::unfinished(tx)? {
            self.arrivals.take_in(&order.view(None));
            self.changes_of(tx, &order)?.into_iter().for_each(|change| self.board.apply(change));
        }
        Ok(())
    }

    /// After the commit, puts orders on this node's board as the database has them; where an offer is named, it may have ended.
    pub(super) fn correct_board(
        &self,
        tx: &mut Tx<'_>,
        orders: &[(OrderId, Option<OfferId>)],
    ) -> Result<(), StorageError> {
        for (order_id, offer_id) in orders {
            let order = store::find(tx, *order_id)?;
            let is_live = |id: &OfferId| order.iter().flat_map(|order| &order.offers).any(|offer| offer.id == *id);
            let mut changes = vec![Change::StopSearch(*order_id)];
            changes.extend(offer_id.filter(|id| !is_live(id)).map(Change::OfferEnded));
            if let Some(order) = order.filter(|order| !order.status.is_over()) {
                changes.extend(self.changes_of(tx, &order)?);
            }
            let board = Arc::clone(&self.board);
            tx.after_commit(move || changes.into_iter().for_each(|change| board.apply(change)));
        }
        Ok(())
    }

    /// What puts an unfinished order on a board that does not know it.
    fn changes_of(&self, tx: &mut Tx<'_>, order: &OrderRecord) -> Result<Vec<Change>, StorageError> {
        let mut changes = Vec::new();
        changes.extend(order.driver_id.map(|driver_id| Change::TripStarted(driver_id, order.id)));
        for offer in &order.offers {
            changes.push(Change::OfferMade(offer.id, super::offers::times(order.id, offer)));
        }
        if self.wants_drivers(order) {
            changes.push(Change::Search(self.waiting(tx, order)?));
        }
        Ok(changes)
    }
}

/// What the board is to know of an order that wants drivers. Beside those who had it, it is not for its rider, who may be a
/// driver himself.
fn wanted(order: &OrderRecord, mut barred: Vec<(UserId, Timestamp)>) -> Waiting {
    barred.push((order.rider_id, NEVER));
    Waiting {
        order_id: order.id,
        pickup: order.from,
        search_from: order.search_from,
        search_until: order.search_until,
        needs: order.needs.clone(),
        barred,
        offered: order.offers.iter().map(|offer| offer.driver_id).collect(),
    }
}

/// The order, which must be there.
pub(super) fn load_order(tx: &mut Tx<'_>, id: OrderId) -> Result<OrderRecord, OrderError> {
    store::find(tx, id)?.ok_or(OrderError::NotFound)
}

impl From<&Config> for Rules {
    fn from(config: &Config) -> Self {
        Self {
            automatic: config.dispatch_mode == DispatchMode::Auto,
            strategy: match config.dispatch_strategy {
                DispatchStrategy::Sequential => StrategyKind::Sequential,
                DispatchStrategy::Broadcast => StrategyKind::Broadcast(config.dispatch_broadcast_offers),
                DispatchStrategy::Batch => StrategyKind::Batch(config.dispatch_batch_interval),
            },
            radius: Radius {
                start_km: config.dispatch_start_radius_km,
                growth_km_per_minute: config.dispatch_radius_growth,
                limit_km: config.dispatch_radius_km,
            },
            age_weight_km: config.dispatch_age_weight,
            stale_after: config.driver_stale_after,
            offers_per_driver: config.order_offers_per_driver,
        }
    }
}

/// A moment after another.
pub(super) fn later(moment: Timestamp, by: Duration) -> Timestamp {
    moment.after(by)
}
