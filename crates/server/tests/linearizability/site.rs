//! Server processes on one database, and those who call them.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
};

use holodrive_client::{Api, Error};
use holodrive_protocol::{OrderId, UserId, http::CreateOrder};
use serde_json::Value;
use tempfile::TempDir;

use super::{
    checker::Operation,
    order::{Answer, DRIVERS, Driver, Step},
};

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

    pub(crate) async fn order(&self) -> OrderId {
        let order = serde_json::from_value::<CreateOrder>(serde_json::json!({
            "address_from": "Amir Temur 1", "address_to": "Navoi 2", "latitude_from": "41.30", "longitude_from": "69.20",
            "latitude_to": "41.31", "longitude_to": "69.21",
        }));
        self.nodes[0].rider.create_order(&order.unwrap()).await.unwrap().id
    }

    /// All drivers take orders.
    pub(crate) async fn go_online(&self) {
        for driver in &self.nodes[0].drivers {
            driver.set_driver_status(holodrive_protocol::http::DriverStatus::Online).await.unwrap();
        }
    }

    /// Whoever still drives something is done with it.
    pub(crate) async fn free_drivers(&self) {
        for driver in &self.nodes[0].drivers {
            if let Some(trip) = driver.driver_orders_poll().await.unwrap().trip {
                let _ = driver.arrive(trip.id).await;
                let _ = driver.start_trip(trip.id).await;
                driver.complete_trip(trip.id).await.unwrap();
            }
        }
    }

    /// Has somebody take a step by way of a server, and notes the answer; the one in `step` does not matter.
    pub(crate) async fn take(&self, node: usize, id: OrderId, step: Step) -> Operation<Step> {
        let called = self.clock.fetch_add(1, Ordering::SeqCst);
        let step = self.call(&self.nodes[node], id, step).await;
        Operation { called, answered: self.clock.fetch_add(1, Ordering::SeqCst), step }
    }

    async fn call(&self, node: &Clients, id: OrderId, step: Step) -> Step {
        let drivers = &node.drivers;
        match step {
            Step::Assign(who, _) => Step::Assign(who, answer(node.staff.assign_order(id, self.driver_ids[who]).await)),
            Step::Accept(who, _) => Step::Accept(who, answer(drivers[who].accept_order(id).await)),
            Step::Decline(who, _) => Step::Decline(who, answer(drivers[who].decline_order(id).await)),
            Step::Release(who, _) => Step::Release(who, answer(drivers[who].release_order(id).await)),
            Step::Arrive(who, _) => Step::Arrive(who, answer(drivers[who].arrive(id).await)),
            Step::Start(who, _) => Step::Start(who, answer(drivers[who].start_trip(id).await)),
            Step::Complete(who, _) => Step::Complete(who, answer(drivers[who].complete_trip(id).await)),
            Step::Cancel(_) => Step::Cancel(answer(node.rider.cancel_order(id).await)),
            Step::Poll(who, ..) => {
                let orders = drivers[who].driver_orders_poll().await.unwrap();
                let is_offered = orders.results.iter().any(|order| order.id == id);
                Step::Poll(who, is_offered, orders.trip.is_some_and(|order| order.id == id))
            }
            Step::Look(..) => {
                let order = node.staff.order(id).await.unwrap();
                Step::Look(order.status, order.driver_id.map(|id| self.number_of(&id)))
            }
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
