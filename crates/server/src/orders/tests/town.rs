//! Orders over a database of their own, with a clock that stands until it is moved, and the dispatcher on a string.

use std::{sync::Arc, time::Duration};

use holodrive_protocol::{Latitude, Longitude, OrderId, OrderStatus, Timestamp, UserId, http::DriverStatus};
use tempfile::TempDir;

use super::super::{
    DriverOrdersEndpoint, NewOrder, OrderError, OrderRecord, Orders, OrdersParts, TrackingEndpoint, answers::Accepted,
    service::load_order, snapshots::DriverSnapshot, store, transitions::TripStep,
};
use super::invariants::{self, Look};
use crate::{
    accounts::{Accounts, AccountsOptions, User},
    chat::Chat,
    clock::{Clock, ManualClock, SharedClock},
    config::Config,
    dispatch::{Needs, Point},
    eta::Eta,
    gateway::{Close, Opening, testing::Peer},
    hooks::Hooks,
    notifications::Notifications,
    storage::{Storage, StorageOptions, TimeSource, Tx},
    telemetry::Metrics,
};

/// Degrees of latitude in a kilometre.
const DEGREES_PER_KM: f64 = 0.009;

pub(super) struct Town {
    pub(super) orders: Arc<Orders>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) rider: Arc<User>,
    pub(super) staff: Arc<User>,
    endpoint: Arc<DriverOrdersEndpoint>,
    pub(super) config: Arc<Config>,
    folder: Arc<TempDir>,
}

/// So many kilometres north of where the riders wait.
pub(super) fn north(km: f64) -> Point {
    Point {
        latitude: Latitude::from_degrees(41.3 + km * DEGREES_PER_KM).unwrap(),
        longitude: Longitude::from_degrees(69.2).unwrap(),
    }
}

impl Town {
    /// Offers that never reached a phone count until they expire, unless `settings` say otherwise.
    pub(super) async fn new(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = [&[("ORDER_OFFER_UNREACHABLE_TIMEOUT", "0")], settings].concat();
        let config = Arc::new(Config::for_tests(folder.path(), &settings).unwrap());
        let clock = Arc::new(ManualClock::at("2027-01-01T00:00:00+00:00".parse().unwrap()));
        let orders = open(&config, Arc::clone(&clock) as _, TimeSource::Given).await;
        let (rider, staff) = (add_user(&orders, "rider", false).await, add_user(&orders, "staff", true).await);
        let endpoint = DriverOrdersEndpoint::new(Arc::clone(&orders));
        Self { orders, clock, rider, staff, endpoint, config, folder: Arc::new(folder) }
    }

    /// The same town, by way of another node on the same database.
    pub(super) async fn node(&self) -> Self {
        self.node_by(&self.clock).await
    }

    /// [`Town::node`], with a clock of its own.
    pub(super) async fn node_by(&self, clock: &Arc<ManualClock>) -> Self {
        let orders = open(&self.config, Arc::clone(clock) as _, TimeSource::Given).await;
        Self {
            endpoint: DriverOrdersEndpoint::new(Arc::clone(&orders)),
            orders,
            clock: Arc::clone(clock),
            rider: Arc::clone(&self.rider),
            staff: Arc::clone(&self.staff),
            config: Arc::clone(&self.config),
            folder: Arc::clone(&self.folder),
        }
    }

    /// As after the end of the process: whatever was in memory is gone.
    pub(super) async fn restart(&mut self) {
        *self = self.node().await;
    }

    /// Hears what other nodes have committed.
    pub(super) async fn catch_up(&self) {
        self.write(|_, _| Ok(())).await.unwrap();
    }

    /// Another process on the same database, whose machine has this clock; the database's own clock counts.
    pub(super) async fn another_node(&self, clock: SharedClock, settings: &[(&str, &str)]) -> Arc<Orders> {
        let config = Arc::new(Config::for_tests(self.folder.path(), settings).unwrap());
        open(&config, clock, TimeSource::Database).await
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) async fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Arc<Orders>, &mut Tx<'_>) -> Result<T, OrderError> + Send + 'static,
    ) -> Result<T, OrderError> {
        write(&self.orders, job).await
    }

    /// A driver who said nothing about himself yet.
    pub(super) async fn driver(&self, name: &str) -> Arc<User> {
        let user = add_user(&self.orders, name, false).await;
        let join =
            "INSERT INTO auth_user_groups (user_id, group_id) SELECT $1, id FROM auth_group WHERE name = 'Driver'";
        let id = user.id;
        self.write(move |_, tx| {
            tx.execute("INSERT INTO auth_group (name) VALUES ('Driver') ON CONFLICT DO NOTHING", &[])?;
            Ok(tx.execute(join, &[id.into()])?)
        })
        .await
        .unwrap();
        self.orders.accounts.user_by_id(id).await.unwrap().unwrap()
    }

    /// A driver who takes orders, so many kilometres from the riders.
    pub(super) async fn driver_at(&self, name: &str, km: f64) -> Arc<User> {
        let driver = self.driver(name).await;
        self.locate(&driver, km).await;
        self.set_status(&driver, DriverStatus::Online).await;
        driver
    }

    pub(super) async fn locate(&self, driver: &User, km: f64) {
        let id = driver.id;
        self.write(move |orders, tx| Ok(orders.set_location(tx, id, north(km))?)).await.unwrap();
    }

    pub(super) async fn set_status(&self, driver: &User, status: DriverStatus) {
        let id = driver.id;
        self.write(move |orders, tx| Ok(orders.set_status(tx, id, status)?)).await.unwrap();
    }

    pub(super) async fn poll(&self, driver: &User) -> DriverSnapshot {
        self.orders.answer_poll(driver.id).await.unwrap()
    }

    /// What the rider asks for.
    pub(super) fn request(&self) -> NewOrder {
        NewOrder {
            rider_id: self.rider.id,
            order_type: "pickup".to_owned(),
            address_from: "Amir Temur 1".to_owned(),
            address_to: "Navoi 2".to_owned(),
            from: north(0.0),
            to: north(5.0),
            pickup_at: None,
            needs: Needs::default(),
        }
    }

    pub(super) async fn try_create(&self) -> Result<OrderRecord, OrderError> {
        let new = self.request();
        self.write(move |orders, tx| orders.create(tx, &new)).await
    }

    /// An order, before the dispatcher has looked at it.
    pub(super) async fn create(&self) -> OrderId {
        self.try_create().await.unwrap().id
    }

    /// An order that is offered to this driver, and maybe was to others before.
    pub(super) async fn offered_to(&self, driver: &User) -> OrderId {
        let order = self.create().await;
        self.assign(order, driver).await.unwrap();
        order
    }

    pub(super) async fn accept(&self, order: OrderId, driver: &Arc<User>) -> Result<Accepted, OrderError> {
        accept(&self.orders, order, driver).await
    }

    pub(super) async fn decline(&self, order: OrderId, driver: &User) -> Result<OrderRecord, OrderError> {
        let id = driver.id;
        self.write(move |orders, tx| orders.decline(tx, order, id, None)).await
    }

    pub(super) async fn release(&self, order: OrderId, driver: &User) -> Result<OrderRecord, OrderError> {
        let id = driver.id;
        self.write(move |orders, tx| orders.release(tx, order, id)).await
    }

    pub(super) async fn step(&self, order: OrderId, driver: &User, step: TripStep) -> Result<OrderRecord, OrderError> {
        let id = driver.id;
        self.write(move |orders, tx| orders.step(tx, order, id, step)).await
    }

    pub(super) async fn assign(&self, order: OrderId, driver: &User) -> Result<OrderRecord, OrderError> {
        let (id, staff) = (driver.id, self.staff.id);
        self.write(move |orders, tx| orders.assign(tx, order, id, Some(staff))).await
    }

    pub(super) async fn cancel(&self, order: OrderId, user: &Arc<User>) -> Result<OrderRecord, OrderError> {
        let user = Arc::clone(user);
        self.write(move |orders, tx| orders.cancel(tx, order, &user)).await
    }

    pub(super) async fn sweep(&self) -> usize {
        self.write(Orders::sweep).await.unwrap()
    }

    /// Lets the dispatcher do what there is to do at this moment.
    pub(super) async fn settle(&self) {
        self.catch_up().await;
        loop {
            let plan = self.orders.plan(self.now());
            for found in &plan.matches {
                Arc::clone(&self.orders).make_one_offer(found.clone()).await;
            }
            let swept = if plan.overdue { self.sweep().await } else { 0 };
            if plan.matches.is_empty() && swept == 0 {
                assert_eq!(self.late().await, [], "I6, I7: late");
                assert!(!plan.overdue, "the board takes for overdue what is not");
                return;
            }
        }
    }

    /// Time passes, and the dispatcher wakes up at the end of it.
    pub(super) async fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.settle().await;
    }

    pub(super) async fn order(&self, id: OrderId) -> OrderRecord {
        self.write(move |_, tx| load_order(tx, id)).await.unwrap()
    }

    pub(super) async fn status(&self, id: OrderId) -> OrderStatus {
        self.order(id).await.status
    }

    /// To whom the order is offered.
    pub(super) async fn asked(&self, id: OrderId) -> Option<UserId> {
        self.order(id).await.offers.first().map(|offer| offer.driver_id)
    }

    /// The types of the history's entries.
    pub(super) async fn history(&self, id: OrderId) -> Vec<String> {
        let events = self.write(move |_, tx| Ok(store::events(tx, id, 0, i64::MAX)?)).await.unwrap();
        events.into_iter().map(|(_, event)| event.kind).collect()
    }

    /// The types of what the rider was notified of.
    pub(super) async fn notices(&self) -> Vec<String> {
        let sql = "SELECT notification_type FROM holodrive_notification ORDER BY id";
        let read = |_: &Arc<Orders>, tx: &mut Tx<'_>| Ok(tx.query(sql, &[])?);
        let rows = self.write(read).await.unwrap();
        rows.into_iter().map(|row| row.first().unwrap()).collect()
    }

    /// A driver's socket, before its first message.
    pub(super) async fn connect(&self, driver: &Arc<User>) -> Peer {
        self.try_connect(driver).await.unwrap()
    }

    pub(super) async fn try_connect(&self, user: &Arc<User>) -> Result<Peer, Close> {
        let (accounts, opening) = (&self.orders.accounts, Opening::default());
        Peer::connect(&*self.endpoint, user, accounts, opening, Some(1 << 20)).await
    }

    /// A socket that follows an order's driver.
    pub(super) async fn follow(&self, order: OrderId, user: &Arc<User>) -> Peer {
        self.try_follow(order, user).await.unwrap()
    }

    pub(super) async fn try_follow(&self, order: OrderId, user: &Arc<User>) -> Result<Peer, Close> {
        let endpoint = TrackingEndpoint::new(Arc::clone(&self.orders));
        let opening = Opening { object_id: order, since: None };
        Peer::connect(&*endpoint, user, &self.orders.accounts, opening, Some(1 << 20)).await
    }

    pub(super) fn set_back(&self, by: Duration) {
        let by = i64::try_from(by.as_micros()).unwrap();
        self.clock.set(Timestamp::from_micros(self.now().as_micros() - by));
    }

    /// What should have ended by now.
    pub(super) async fn late(&self) -> Vec<crate::storage::Row> {
        self.write(|_, tx| Ok(invariants::late(tx))).await.unwrap()
    }

    pub(super) async fn check_invariants(&self) {
        check_invariants(&self.orders).await;
    }
}

pub(super) async fn check_invariants(orders: &Arc<Orders>) {
    let look = Look::at(orders);
    // A node that only reads hears nothing of the others by that.
    let violations =
        orders.storage.read(move |tx| Ok::<_, OrderError>(invariants::violations(tx, look))).await.unwrap();
    assert!(violations.is_empty(), "{violations:#?}");
    assert_eq!(dispatcher_failures(orders), None);
}

/// What this node's dispatcher could not do. It tries again and tells nobody, so a guard that is broken would hide behind
/// the indexes of the schema.
pub(super) fn dispatcher_failures(orders: &Orders) -> Option<String> {
    let (offers, sweeps) = orders.metrics.dispatch_failures();
    let told = || format!("the dispatcher failed: {offers} offers could not be made, {sweeps} sweeps failed");
    (offers + sweeps > 0).then(told)
}

pub(super) async fn write<T: Send + 'static>(
    orders: &Arc<Orders>,
    job: impl FnOnce(&Arc<Orders>, &mut Tx<'_>) -> Result<T, OrderError> + Send + 'static,
) -> Result<T, OrderError> {
    let on = Arc::clone(orders);
    orders.storage.write(move |tx| job(&on, tx)).await
}

pub(super) async fn accept(orders: &Arc<Orders>, order: OrderId, driver: &Arc<User>) -> Result<Accepted, OrderError> {
    let driver = Arc::clone(driver);
    write(orders, move |orders, tx| orders.accept(tx, order, &driver, None)).await
}

async fn open(config: &Arc<Config>, clock: SharedClock, time: TimeSource) -> Arc<Orders> {
    let metrics = Arc::new(Metrics::new());
    let options = StorageOptions { time, ..StorageOptions::from(&**config) };
    let storage = Storage::open(&options, Arc::clone(&clock), Arc::clone(&metrics)).unwrap();
    let accounts = Arc::new(Accounts::new(storage.clone(), AccountsOptions::from(&**config)).unwrap());
    let hooks = Hooks::new(config, clock, Arc::clone(&metrics)).unwrap();
    let notifications = Notifications::new(storage.clone(), hooks.mark_as_read);
    let chat = Chat::new(storage.clone(), Arc::clone(&accounts), Arc::clone(&notifications), hooks.chat);
    let config = Arc::clone(config);
    let (driver_orders, eta) = (hooks.driver_orders, Eta::new(&config, &metrics).unwrap());
    let parts = OrdersParts { config, storage, accounts, notifications, chat, metrics, driver_orders, eta };
    Orders::load(parts).await.unwrap()
}

async fn add_user(orders: &Arc<Orders>, name: &str, is_staff: bool) -> Arc<User> {
    let sql =
        "INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active,
               date_joined) VALUES ('!', FALSE, $1, '', '', '', $2, TRUE, '2026-01-01 00:00:00') RETURNING id";
    let params = [name.into(), is_staff.into()];
    let id: UserId = write(orders, move |_, tx| Ok(tx.query_one(sql, &params)?.unwrap().first()?)).await.unwrap();
    orders.accounts.user_by_id(id).await.unwrap().unwrap()
}
