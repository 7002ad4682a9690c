//! Server processes on one database, and those who call them.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use holodrive_client::{Api, Error, PageOf};
use holodrive_protocol::{OrderId, UserId, http::CreateOrder};
use serde_json::Value;
use tempfile::TempDir;

use super::{
    checker::Operation,
    recorded::{self, Record, Written},
    step::{Act, Answer, Call, DRIVERS, Driver, ORDERS, Step},
};

/// A deadline that is worth waiting for.
const SOON: Duration = Duration::from_secs(1);

/// Two servers, and everybody as a client of each.
pub(crate) struct Site {
    servers: Vec<Running>,
    nodes: Vec<Clients>,
    driver_ids: Vec<UserId>,
    clock: AtomicU64,
    _folder: TempDir,
}

struct Clients {
    rider: Api,
    staff: Api,
    drivers: Vec<Api>,
}

/// A server process; it is killed with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Site {
    pub(crate) fn start(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let run = |arguments: &[&str]| {
            let output = program(folder.path(), settings, arguments).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        };
        let add = |name: &str, more: &[&str]| {
            let added = run(&[&["user", "add", name, "--password", "a good password"], more].concat());
            let id = serde_json::from_str::<Value>(&added).unwrap()["id"].clone();
            (serde_json::from_value::<UserId>(id).unwrap(), run(&["token", name]))
        };
        let drivers: Vec<_> =
            (0..DRIVERS).map(|number| add(&format!("driver{number}"), &["--group", "Driver"])).collect();
        let ((_, rider), (_, staff)) = (add("rider", &[]), add("staff", &["--staff"]));
        let (mut servers, mut nodes) = (Vec::new(), Vec::new());
        for _ in 0..2 {
            let (server, address) = serve(folder.path(), settings);
            let api = |token: &str| Api::builder(format!("http://{address}")).token(token).retries(0).build().unwrap();
            let drivers = drivers.iter().map(|(_, token)| api(token)).collect();
            nodes.push(Clients { rider: api(&rider), staff: api(&staff), drivers });
            servers.push(server);
        }
        let driver_ids = drivers.into_iter().map(|(id, _)| id).collect();
        Self { servers, nodes, driver_ids, clock: AtomicU64::new(0), _folder: folder }
    }

    /// How many servers there are.
    pub(crate) fn nodes(&self) -> usize {
        self.servers.len()
    }

    /// The orders of a round.
    pub(crate) async fn orders(&self) -> [OrderId; ORDERS] {
        let order = serde_json::from_value::<CreateOrder>(serde_json::json!({
            "address_from": "Amir Temur 1", "address_to": "Navoi 2", "latitude_from": "41.30", "longitude_from": "69.20",
            "latitude_to": "41.31", "longitude_to": "69.21",
        }));
        let (rider, order, mut orders) = (&self.nodes[0].rider, order.unwrap(), [0; ORDERS]);
        for id in &mut orders {
            *id = rider.create_order(&order).await.unwrap().id;
        }
        orders
    }

    /// All drivers take orders.
    pub(crate) async fn go_online(&self) {
        for driver in &self.nodes[0].drivers {
            driver.set_driver_status(holodrive_protocol::http::DriverStatus::Online).await.unwrap();
        }
    }

    /// Everything comes to its end, one after another: what can be cancelled is, the other trips are completed.
    pub(crate) async fn finish(&self, orders: &[OrderId; ORDERS]) -> Vec<Operation<Step>> {
        let mut history = Vec::new();
        for which in 0..ORDERS {
            history.push(self.take(0, orders, Call::Act(which, Act::Cancel)).await);
        }
        for driver in 0..DRIVERS {
            let polled = self.take(0, orders, Call::Poll(driver)).await;
            if let Step::Poll { trip: Some(which), .. } = polled.step {
                history.push(self.take(0, orders, Call::Act(which, Act::Complete(driver))).await);
            }
            history.push(polled);
        }
        for which in 0..ORDERS {
            history.push(self.take(0, orders, Call::Look(which)).await);
        }
        history
    }

    /// What the server has written down of the orders.
    pub(crate) async fn record(&self, orders: &[OrderId; ORDERS]) -> Record {
        let mut record = Record(Default::default());
        for (id, entries) in orders.iter().zip(&mut record.0) {
            *entries = self.entries(*id).await;
        }
        record
    }

    async fn entries(&self, id: OrderId) -> Vec<Written> {
        let (mut entries, mut page) = (Vec::new(), Some(PageOf::default()));
        while let Some(next) = page {
            let events = self.nodes[0].staff.order_events(id, &next).await.unwrap();
            entries.extend(events.results.iter().filter_map(|event| recorded::read(event, |id| self.number_of(&id))));
            page = events.next.map(PageOf::after);
        }
        entries
    }

    /// Waits until shortly before the deadline of the order's live offer, where there is one that comes soon.
    pub(crate) async fn wait_for_deadline(&self, node: usize, id: OrderId, shortly: Duration) {
        let Some(deadline) = self.nodes[node].staff.order(id).await.unwrap().expires_at else { return };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let left = Duration::from_micros(deadline.as_micros().unsigned_abs()).saturating_sub(now + shortly);
        if left < SOON {
            tokio::time::sleep(left).await;
        }
    }

    /// Has somebody called by way of a server, and notes the answer.
    pub(crate) async fn take(&self, node: usize, orders: &[OrderId; ORDERS], call: Call) -> Operation<Step> {
        let called = self.clock.fetch_add(1, Ordering::SeqCst);
        let step = self.call(&self.nodes[node], orders, call).await;
        Operation { called, answered: self.clock.fetch_add(1, Ordering::SeqCst), step }
    }

    async fn call(&self, node: &Clients, orders: &[OrderId; ORDERS], call: Call) -> Step {
        match call {
            Call::Act(which, act) => Step::Act(which, act, self.act(node, orders[which], act).await),
            Call::Poll(driver) => {
                let polled = node.drivers[driver].driver_orders_poll().await.unwrap();
                let which = |id| orders.iter().position(|other| *other == id).expect("an order of this round");
                let mut offered = [false; ORDERS];
                polled.results.iter().for_each(|order| offered[which(order.id)] = true);
                Step::Poll { driver, offered, trip: polled.trip.map(|order| which(order.id)) }
            }
            Call::Look(which) => {
                let order = node.staff.order(orders[which]).await.unwrap();
                let driver = order.driver_id.map(|id| self.number_of(&id));
                Step::Look { order: which, status: order.status, driver }
            }
        }
    }

    async fn act(&self, node: &Clients, id: OrderId, act: Act) -> Answer {
        let drivers = &node.drivers;
        match act {
            Act::Assign(who) => answer(node.staff.assign_order(id, self.driver_ids[who]).await),
            Act::Accept(who) => answer(drivers[who].accept_order(id).await),
            Act::Decline(who) => answer(drivers[who].decline_order(id).await),
            Act::Release(who) => answer(drivers[who].release_order(id).await),
            Act::Arrive(who) => answer(drivers[who].arrive(id).await),
            Act::Start(who) => answer(drivers[who].start_trip(id).await),
            Act::Complete(who) => answer(drivers[who].complete_trip(id).await),
            Act::Cancel => answer(node.rider.cancel_order(id).await),
        }
    }

    fn number_of(&self, id: &UserId) -> Driver {
        self.driver_ids.iter().position(|other| other == id).unwrap()
    }
}

fn answer<T>(answer: Result<T, Error>) -> Answer {
    let Err(error) = answer else { return Answer::Done };
    let Error::Refused { body, .. } = &error else { panic!("{error}") };
    match (body.code.as_str(), body.reason) {
        ("offer_expired", Some(reason)) => Answer::OfferExpired(reason),
        ("invalid_transition", _) => Answer::InvalidTransition,
        ("driver_busy", _) => Answer::DriverBusy,
        ("not_found", _) => Answer::NotFound,
        _ => panic!("{error}"),
    }
}

/// The program in a folder of its own, with a database of its own.
fn program(folder: &Path, settings: &[(&str, &str)], arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holodrive"));
    command.args(arguments).current_dir(folder).env_clear().stdin(Stdio::null());
    if let Ok(url) = std::env::var("HOLODRIVE_TEST_POSTGRES") {
        let name = folder.file_name().unwrap().to_string_lossy().replace(|c: char| !c.is_alphanumeric(), "_");
        command.env("DATABASE_URL", url).env("DATABASE_SCHEMA", format!("test{name}"));
    }
    command.env("SECRET_KEY", "a secret key for tests, which nothing else may use").envs(settings.iter().copied());
    command
}

fn serve(folder: &Path, settings: &[(&str, &str)]) -> (Running, String) {
    let arguments = ["serve", "--websocket-port", "0", "--log-format", "json", "--drain-timeout", "0"];
    let mut process = program(folder, settings, &arguments).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
    let listening = log.by_ref().map(Result::unwrap).find_map(|line| address_in(&line)).expect("it listens");
    // Nobody reads the rest; who does not take it away stops the server.
    std::thread::spawn(move || log.for_each(drop));
    (Running(process), listening)
}

fn address_in(line: &str) -> Option<String> {
    let event: Value = serde_json::from_str(line).ok()?;
    (event["message"] == "listening").then(|| event["address"].as_str().map(str::to_owned))?
}
