//! A routing server over real HTTP that answers as OSRM does, and knows the roads of one city.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::{Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// Degrees north and east that its map has.
const MAP: ((f64, f64), (f64, f64)) = ((41.0, 42.0), (69.0, 70.0));

/// How it does at the moment.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mood {
    /// Every way takes so many seconds.
    Takes(f64),
    /// Two parts of the city are not connected.
    NoWay,
    /// It takes the question and does not answer.
    Silent,
    /// It answers 500, as a proxy in front of it does.
    Broken,
}

/// Runs until it is dropped.
pub(crate) struct OsrmServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

struct Shared {
    mood: Mutex<Mood>,
    /// The places that were asked for, as they came.
    asked: Mutex<Vec<String>>,
    count: watch::Sender<usize>,
}

#[derive(Deserialize)]
struct Options {
    sources: Option<String>,
    destinations: Option<String>,
    annotations: Option<String>,
}

impl OsrmServer {
    pub(crate) async fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared =
            Arc::new(Shared { mood: Mutex::new(mood), asked: Mutex::default(), count: watch::Sender::default() });
        let route = axum::routing::get(table);
        let router = Router::new().route("/table/v1/{profile}/{places}", route).with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, shared, serving }
    }

    /// `ROUTING_URL`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn set_mood(&self, mood: Mood) {
        *self.shared.mood.lock() = mood;
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().clone()
    }

    /// Waits until so many questions have come.
    pub(crate) async fn wait_for(&self, count: usize) {
        let mut changes = self.shared.count.subscribe();
        let waiting = changes.wait_for(|asked| *asked >= count);
        let came = tokio::time::timeout(std::time::Duration::from_secs(20), waiting).await;
        came.expect("the questions that the test waits for do not come").unwrap();
    }
}

impl Drop for OsrmServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn refuse(code: &str, message: &str) -> Response {
    (StatusCode::BAD_REQUEST, json!({"code": code, "message": message}).to_string()).into_response()
}

/// A longitude and a latitude.
fn place(text: &str) -> Option<(f64, f64)> {
    let (longitude, latitude) = text.split_once(',')?;
    let (longitude, latitude) = (longitude.parse().ok()?, latitude.parse().ok()?);
    ((-180.0..=180.0).contains(&longitude) && (-90.0..=90.0).contains(&latitude)).then_some((longitude, latitude))
}

fn is_on_map((longitude, latitude): (f64, f64)) -> bool {
    (MAP.0.0..MAP.0.1).contains(&latitude) && (MAP.1.0..MAP.1.1).contains(&longitude)
}

fn waypoint((longitude, latitude): (f64, f64)) -> Value {
    json!({"hint": "", "distance": 4.2, "name": "Amir Temur", "location": [longitude, latitude]})
}

async fn table(
    State(shared): State<Arc<Shared>>,
    Path((profile, places)): Path<(String, String)>,
    Query(options): Query<Options>,
) -> Response {
    shared.asked.lock().push(places.clone());
    shared.count.send_modify(|count| *count += 1);
    let mood = *shared.mood.lock();
    let Some(places) = places.split(';').map(place).collect::<Option<Vec<_>>>() else {
        return refuse("InvalidQuery", "Query string malformed close to position 20");
    };
    let [from, to] = places[..] else { return refuse("InvalidOptions", "two places were expected") };
    let option = |given: &Option<String>, wanted| given.as_deref() == Some(wanted);
    if profile != "driving"
        || !option(&options.sources, "0")
        || !option(&options.destinations, "1")
        || !option(&options.annotations, "duration")
    {
        return refuse("InvalidOptions", "not the options that were expected");
    }
    if let Some(index) = places.iter().position(|place| !is_on_map(*place)) {
        return refuse("NoSegment", &format!("Could not find a matching segment for coordinate {index}"));
    }
    let duration = match mood {
        Mood::Takes(seconds) => json!(seconds),
        Mood::NoWay => Value::Null,
        Mood::Silent => std::future::pending().await,
        Mood::Broken => return (StatusCode::INTERNAL_SERVER_ERROR, "<html>").into_response(),
    };
    let answer = json!({
        "code": "Ok", "durations": [[duration]], "sources": [waypoint(from)], "destinations": [waypoint(to)],
    });
    answer.to_string().into_response()
}
