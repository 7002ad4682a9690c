//! The endpoints that belong to no feature: tokens, sessions, the caller himself, health.

mod health;
mod me;
mod session;
mod token;

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};

pub use health::Probe;

use crate::{api::docs, app::App};

/// The routes, without last slashes.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/api/token", post(token::obtain))
        .route("/api/token/refresh", post(token::refresh))
        .route("/api/token/verify", post(token::verify))
        .route("/api/session", post(session::log_in).delete(session::log_out))
        .route("/api/me", get(me::show))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .merge(docs::routes())
}
