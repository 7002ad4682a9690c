//! The API's own documents, made from the protocol's types: OpenAPI for HTTP, AsyncAPI for sockets, and a page that
//! shows both.
//!
//! [`operations`] and [`channels`] are the tables of what there is; a route that is not in its table fails a test.

mod asyncapi;
mod channels;
mod openapi;
mod operation;
mod operations;
mod schemas;

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::header;

pub use asyncapi::asyncapi;
pub use openapi::openapi;

use crate::{app::App, config::Config};

const PAGE: &str = include_str!("page.html");
/// The page needs its own script and style and the two documents, and nothing from elsewhere.
const PAGE_POLICY: &str = "default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                           base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Where clients find the server, as the documents tell them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicAddress {
    /// Host, perhaps with a port.
    pub authority: String,
    /// Whether it is reached by `https` and `wss`.
    pub secure: bool,
}

/// Both documents as text.
pub struct Documents {
    openapi: String,
    asyncapi: String,
}

impl Documents {
    /// The documents of a server with this configuration.
    pub fn new(config: &Config) -> Self {
        let address = PublicAddress { authority: config.websocket_url.clone(), secure: config.secure_cookies };
        Self { openapi: openapi(&address).to_string(), asyncapi: asyncapi(&address).to_string() }
    }
}

/// The routes of the documents.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/api/openapi.json", get(show_openapi))
        .route("/api/asyncapi.json", get(show_asyncapi))
        .route("/api/docs", get(show_page))
}

async fn show_openapi(State(app): State<Arc<App>>) -> Response {
    json(app.documents.openapi.clone())
}

async fn show_asyncapi(State(app): State<Arc<App>>) -> Response {
    json(app.documents.asyncapi.clone())
}

async fn show_page() -> Response {
    let headers = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CONTENT_SECURITY_POLICY, PAGE_POLICY)];
    (headers, PAGE).into_response()
}

fn json(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}
