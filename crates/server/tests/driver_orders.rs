//! Drivers on real sockets of a real server under load: no offer is missed, none is shown twice, and each end is told once.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use holodrive::{
    app::App,
    config::Config,
    dispatch::Needs,
    dispatch::Point,
    orders::{NewOrder, OrderError},
    server::Server,
    storage::{Row, StorageError, Tx, Value},
};
use holodrive_client::{Api, DriverOrdersSocket, Event};
use holodrive_protocol::{
    Latitude, Longitude, Order, OrderId, Timestamp, UserId,
    driver::{DriverClientMessage, DriverServerMessage},
    http::DriverStatus,
};
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// After this long without what a test waits for, the test has failed.
const PATIENCE: Duration = Duration::from_secs(30);
const ROUNDS: usize = 100;
const PASSWORD: &str = "a good password";
/// [`PASSWORD`] under one iteration: nobody has to wait for it.
const HASH: &str = "pbkdf2_sha256$1$salt$AZTO8ToSedVaZlPJZR3s9vj8VQhURB9P+ARENDy7Vcw=";

/// An offer: its order, and its deadline in microseconds.
type Offer = (OrderId, i64);

struct Site {
    server: Server,
    app: Arc<App>,
    driver: Api,
    driver_id: UserId,
    rider_id: UserId,
    _folder: TempDir,
}

impl Site {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = [
            ("ORDER_OFFER_TIMEOUT", "0.15"),
            ("ORDER_REOFFER_AFTER", "0.2"),
            ("ORDER_OFFERS_PER_DRIVER", "4"),
            ("MESSAGE_RATE", "0"),
            ("MAX_CONNECTIONS_PER_USER", "0"),
            ("LOGIN_RATE", "0"),
            ("DRAIN_TIMEOUT", "0"),
        ];
        let server = Server::start(Config::for_tests(folder.path(), &settings).unwrap()).await.unwrap();
        let app = Arc::clone(server.app());
        let (driver_id, rider_id) = (add_user(&app, "driver").await, add_user(&app, "rider").await);
        write(&app, move |tx| {
            tx.execute("INSERT INTO auth_group (id, name) VALUES (1, 'Driver')", &[])?;
            tx.execute("INSERT INTO auth_user_groups (user_id, group_id) VALUES ($1, 1)", &[driver_id.into()])
        })
        .await;
        let driver = Api::builder(format!("http://{}", server.address())).login("driver", PASSWORD).build().unwrap();
        driver.set_driver_status(DriverStatus::Online).await.unwrap();
        Self { server, app, driver, driver_id, rider_id, _folder: folder }
    }

    /// Riders who order all the time, until the handle is aborted.
    fn keep_ordering(&self, pause: Duration) -> JoinHandle<()> {
        let (app, rider_id) = (Arc::clone(&self.app), self.rider_id);
        tokio::spawn(async move {
            loop {
                order(&app, rider_id).await;
                tokio::time::sleep(pause).await;
            }
        })
    }

    /// The driver's offers: those that were made until `until` and still lived at `since`.
    async fn due(&self, since: Timestamp, until: Timestamp) -> BTreeSet<Offer> {
        let sql = "SELECT order_id, expires_at FROM holodrive_offer WHERE driver_id = $1 AND created_at <= $2
             AND (ended_at IS NULL OR ended_at > $3)";
        self.offers(sql, [self.driver_id.into(), until.into(), since.into()]).await
    }

    /// The driver's offers that have ended.
    async fn ended(&self) -> BTreeSet<Offer> {
        let sql = "SELECT order_id, expires_at FROM holodrive_offer WHERE driver_id = $1 AND ended_at IS NOT NULL";
        self.offers(sql, [self.driver_id.into()]).await
    }

    async fn offers<const N: usize>(&self, sql: &'static str, params: [Value; N]) -> BTreeSet<Offer> {
        let rows = write(&self.app, move |tx| tx.query(sql, &params)).await.into_iter().map(Row::columns);
        rows.map(|mut row| (row.take().unwrap(), row.take().unwrap())).collect()
    }
}

async fn write<T: Send + 'static>(
    app: &App,
    job: impl FnOnce(&mut Tx<'_>) -> Result<T, StorageError> + Send + 'static,
) -> T {
    app.storage.write(job).await.unwrap()
}

async fn add_user(app: &App, name: &'static str) -> UserId {
    let sql =
        "INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active,
         date_joined) VALUES ($1, FALSE, $2, '', '', '', FALSE, TRUE, '2025-10-09 08:53:20') RETURNING id";
    write(app, move |tx| tx.query_one(sql, &[HASH.into(), name.into()])?.unwrap().first()).await
}

async fn order(app: &Arc<App>, rider_id: UserId) -> OrderId {
    let here =
        Point { latitude: Latitude::from_degrees(41.3).unwrap(), longitude: Longitude::from_degrees(69.2).unwrap() };
    let (address_from, address_to) = ("Amir Temur 1".to_owned(), "Navoi 2".to_owned());
    let (order_type, pickup_at, needs) = ("pickup".to_owned(), None, Needs::default());
    let new = NewOrder { rider_id, order_type, address_from, address_to, from: here, to: here, pickup_at, needs };
    let orders = Arc::clone(&app.orders);
    let made = app.storage.write(move |tx| orders.create(tx, &new)).await;
    made.map_err(|error: OrderError| error.to_string()).unwrap().id
}

/// One connection, and what it shows.
struct Screen {
    socket: DriverOrdersSocket,
    /// The offers that are shown.
    shown: BTreeMap<OrderId, Offer>,
    /// All offers that were ever shown here, and those of which the end was told.
    seen: BTreeSet<Offer>,
    told: BTreeSet<Offer>,
    /// Types and orders of the live messages, in order.
    heard: Vec<String>,
    initial: usize,
}

impl Screen {
    /// Connects, and reads the first two messages, which must be the first two.
    async fn open(driver: &Api) -> Self {
        let mut socket = driver.driver_orders().connect();
        assert_eq!(socket.next().await, Event::Connected { resumed: false });
        let first = socket.next().await;
        assert!(matches!(first, Event::Message(DriverServerMessage::ConnectionEstablished { .. })), "{first:?}");
        let Event::Message(DriverServerMessage::InitialOrders { orders, .. }) = socket.next().await else {
            panic!("initial_orders is the second message");
        };
        let (shown, seen, told) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        let mut screen = Self { socket, shown, seen, told, heard: Vec::new(), initial: orders.len() };
        for order in &orders {
            screen.show(order);
        }
        screen
    }

    fn show(&mut self, order: &Order) {
        let offer = (order.id, order.expires_at.unwrap().as_micros());
        assert!(self.shown.insert(order.id, offer).is_none(), "order {} is shown twice", order.id);
        assert!(self.seen.insert(offer), "an offer of order {} comes twice", order.id);
    }

    fn end(&mut self, order_id: OrderId) {
        let offer = self.shown.remove(&order_id).expect("the end of what is not shown");
        assert!(self.told.insert(offer), "told twice");
    }

    /// Reads until it has heard enough, for as long as a test is patient.
    async fn read_until(&mut self, enough: impl Fn(&Self) -> bool) {
        let read = async {
            while !enough(self) {
                self.read().await;
            }
        };
        tokio::time::timeout(PATIENCE, read).await.expect("what the test waits for does not come");
    }

    /// Reads a message. An acceptance that came too late is refused, and says why.
    async fn read(&mut self) {
        let event = self.socket.next().await;
        match event {
            Event::Message(message) => self.take(message),
            Event::Refused(error) => assert!(error.reason.is_some(), "{error:?}"),
            other => panic!("{other:?}"),
        }
    }

    fn take(&mut self, message: DriverServerMessage) {
        let what = match message {
            DriverServerMessage::NewOrder { order, .. } => {
                self.show(&order);
                format!("new_order {}", order.id)
            }
            DriverServerMessage::OrderTimeout { order_id, .. } => {
                self.end(order_id);
                format!("order_timeout {order_id}")
            }
            DriverServerMessage::OrderAccepted { order, .. } => {
                self.end(order.id);
                format!("order_accepted {}", order.id)
            }
            other => panic!("{other:?}"),
        };
        self.heard.push(what);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_reconnects_under_load() {
    let site = Site::new().await;
    let load = site.keep_ordering(Duration::from_millis(10));
    let (mut initial, mut live) = (0, 0);
    for round in 0..ROUNDS {
        let mut screen = Screen::open(&site.driver).await;
        let snapshot_at = site.app.clock.now();
        screen.read_until(|screen| screen.heard.len() >= round % 7).await;
        let due = site.due(snapshot_at, site.app.clock.now()).await;
        screen.read_until(|screen| due.is_subset(&screen.seen)).await;
        let over = &site.ended().await & &screen.seen;
        screen.read_until(|screen| over.is_subset(&screen.told)).await;
        initial += screen.initial;
        live += screen.seen.len() - screen.initial;
        if round % 2 == 0 {
            screen.socket.close().await;
        }
    }
    load.abort();
    assert!(initial > ROUNDS / 2 && live > ROUNDS / 2, "{initial} initial and {live} live prove nothing");
    site.server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_connections_of_a_driver_hear_the_same_in_the_same_order() {
    let site = Site::new().await;
    let mut screens = Vec::new();
    for _ in 0..3 {
        screens.push(Screen::open(&site.driver).await);
    }
    let load = site.keep_ordering(Duration::from_millis(5));
    for screen in &mut screens {
        screen.read_until(|screen| screen.heard.len() >= 60).await;
    }
    // One of them takes an order: all hear that, and that the other offers are gone.
    let is_accepted = |screen: &Screen| screen.heard.iter().any(|what| what.starts_with("order_accepted"));
    while !is_accepted(&screens[0]) {
        let before = screens[0].heard.len();
        if let Some(order_id) = screens[0].shown.keys().next_back().copied() {
            screens[0].socket.send(&DriverClientMessage::AcceptOrder { order_id }).unwrap();
        }
        screens[0].read_until(|screen| screen.heard.len() > before).await;
    }
    screens[0].read_until(|screen| screen.shown.is_empty()).await;
    let (first, others) = screens.split_first_mut().unwrap();
    for screen in others {
        screen.read_until(|screen| screen.heard.len() >= first.heard.len()).await;
        assert_eq!(screen.heard, first.heard);
        assert!(screen.shown.is_empty());
    }
    load.abort();
    site.server.stop().await;
}
