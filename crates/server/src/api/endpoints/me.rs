use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use holodrive_protocol::http::Me;
use http::{HeaderMap, header};

use super::session::new_csrf_cookie;
use crate::{
    accounts::{Identity, Proof, User, cookies},
    api::{ApiError, Caller},
    app::App,
};

/// `GET /api/me`: a page whose session was opened by Django also gets the CSRF cookie here that it needs for unsafe
/// requests.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let me = Json(describe(&app, caller.user()?));
    let by_session = matches!(&caller, Caller::User(Identity { proof: Proof::Session { .. }, .. }));
    if by_session && cookies::from_headers(&headers, &app.config.csrf_cookie_name).is_none() {
        return Ok(([(header::SET_COOKIE, new_csrf_cookie(&app))], me).into_response());
    }
    Ok(me.into_response())
}

pub(super) fn describe(app: &App, user: &User) -> Me {
    Me {
        id: user.id,
        username: user.username.to_string(),
        name: user.display_name(),
        groups: user.groups.to_vec(),
        is_staff: user.is_staff,
        websocket_url: app.config.websocket_url.clone(),
    }
}
