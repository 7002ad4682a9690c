//! A small back end over real HTTP, which does what a test tells it.

use std::{collections::HashMap, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

pub(crate) const SECRET: &str = "a secret of the hooks, for tests";

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) hook: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Asked {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn data(&self) -> Value {
        self.json()["data"].clone()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

type Handler = Arc<dyn Fn(Asked, usize) -> BoxFuture<'static, Response> + Send + Sync>;

/// Runs until it is dropped.
pub(crate) struct Django {
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    handlers: Mutex<HashMap<&'static str, Handler>>,
    asked: Mutex<Vec<Asked>>,
    count: watch::Sender<usize>,
}

impl Django {
    /// A hook that nobody gave an answer is answered with 404.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, shared) = (listener.local_addr().unwrap(), Arc::<Shared>::default());
        let router = Router::new().route("/hooks/{hook}/", axum::routing::post(answer)).with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, shared, serving }
    }

    /// `HOOKS_URL`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/hooks/", self.address)
    }

    /// Answers a hook from now on; the handler is told how many requests came for it before.
    pub(crate) fn on<F: Future<Output = Response> + Send + 'static>(
        &self,
        hook: &'static str,
        handler: impl Fn(Asked, usize) -> F + Send + Sync + 'static,
    ) {
        let handler: Handler = Arc::new(move |asked, before| Box::pin(handler(asked, before)));
        self.shared.handlers.lock().insert(hook, handler);
    }

    /// Always the same answer.
    pub(crate) fn always(&self, hook: &'static str, status: u16, body: Value) {
        self.on(hook, move |_, _| {
            let response = reply(status, &body);
            async move { response }
        });
    }

    /// The requests for a hook so far, in the order in which they came.
    pub(crate) fn asked(&self, hook: &str) -> Vec<Asked> {
        self.shared.asked.lock().iter().filter(|asked| asked.hook == hook).cloned().collect()
    }

    /// All requests so far, in the order in which they came.
    pub(crate) fn all(&self) -> Vec<Asked> {
        self.shared.asked.lock().clone()
    }

    /// Waits until so many requests have come for a hook.
    pub(crate) async fn wait_for(&self, hook: &str, count: usize) -> Vec<Asked> {
        let mut changes = self.shared.count.subscribe();
        let waiting = changes.wait_for(|_| self.asked(hook).len() >= count);
        let came = tokio::time::timeout(std::time::Duration::from_secs(20), waiting).await;
        came.expect("the requests that the test waits for do not come").unwrap();
        self.asked(hook)
    }
}

impl Drop for Django {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// An answer; null is no body.
pub(crate) fn reply(status: u16, body: &Value) -> Response {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    (StatusCode::from_u16(status).unwrap(), body).into_response()
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    Path(hook): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let asked = Asked { hook: hook.clone(), headers, body };
    let before = {
        let mut all = shared.asked.lock();
        all.push(asked.clone());
        all.iter().filter(|asked| asked.hook == hook).count() - 1
    };
    shared.count.send_modify(|count| *count += 1);
    let handler = shared.handlers.lock().get(hook.as_str()).cloned();
    match handler {
        Some(handler) => handler(asked, before).await,
        None => reply(404, &json!({"code": "not_found"})),
    }
}
