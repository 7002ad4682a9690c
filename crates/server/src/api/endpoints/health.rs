use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use holodrive_protocol::http::{Alive, Readiness};
use http::{StatusCode, header};
use tokio::sync::Mutex;

use crate::{app::App, storage::Storage, telemetry::CONTENT_TYPE};

/// How long the outcome of a probe counts: whoever asks more often costs no more writes.
const PROBE_LIFETIME: Duration = Duration::from_secs(1);
/// How long a probe may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);

/// `GET /healthz`: the process answers.
pub(super) async fn alive() -> Json<Alive> {
    Json(Alive { status: "ok".to_owned() })
}

/// `GET /readyz`: new clients are welcome.
pub(super) async fn ready(State(app): State<Arc<App>>) -> Response {
    let accepting = !app.draining.has_begun();
    let database = app.probe.database(&app.storage).await;
    let ready = accepting && database;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, accepting, database })).into_response()
}

/// `GET /metrics`
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Response {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], app.metrics.encode()).into_response()
}

/// Sends a write through the database now and then, to see that it can still store something.
#[derive(Default)]
pub struct Probe {
    /// When the last one ended, and how. The lock is held while one is on its way, so that there is one at a time.
    last: Mutex<Option<(Instant, bool)>>,
}

impl Probe {
    async fn database(&self, storage: &Storage) -> bool {
        let mut last = self.last.lock().await;
        match *last {
            Some((ended, good)) if ended.elapsed() < PROBE_LIFETIME => good && storage.is_healthy(),
            _ => {
                let good = matches!(tokio::time::timeout(PROBE_TIMEOUT, storage.probe()).await, Ok(Ok(())));
                *last = Some((Instant::now(), good));
                good
            }
        }
    }
}
