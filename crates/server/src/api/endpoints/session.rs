//! Logging in and out with Django's session cookie.

use std::{net::IpAddr, sync::Arc, time::Instant};

use axum::{
    Extension, Json,
    extract::State,
    response::{AppendHeaders, IntoResponse, Response},
};
use http::{HeaderMap, StatusCode, header};

use super::me;
use crate::{
    accounts::{Account, LoginError, Proof, cookies, csrf},
    api::{ApiError, Caller, Fields, caller::check_origin},
    app::App,
    server::ClientAddress,
    storage::StorageError,
};

/// The longest login name and password, in characters.
const MAX_NAME: usize = 254;
const MAX_PASSWORD: usize = 4096;

/// `POST /api/session`
pub(super) async fn log_in(
    State(app): State<Arc<App>>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    headers: HeaderMap,
    fields: Fields,
) -> Result<Response, ApiError> {
    check_origin(&headers, &app)?;
    if !app.accounts.has_sessions() {
        let why = "this site has no sessions: get tokens instead";
        return Err(ApiError::new(StatusCode::CONFLICT, "no_sessions", why));
    }
    let account = log_in_as(&app, fields, "username", address).await?;
    let session = app.accounts.create_session(&account).await.map_err(unless_read_only)?;
    // A key that somebody may have slipped in before must not be worth anything after the login.
    if let Some(old) = cookies::from_headers(&headers, &app.config.session_cookie_name) {
        app.accounts.delete_session(&old).await.map_err(unless_read_only)?;
    }
    let config = &app.config;
    let (name, age, secure) = (&config.session_cookie_name, config.session_cookie_age, config.secure_cookies);
    let cookies = AppendHeaders([
        (header::SET_COOKIE, cookies::set_session(name, &session.session_key, age, secure)),
        (header::SET_COOKIE, new_csrf_cookie(&app)),
    ]);
    Ok((cookies, Json(me::describe(&app, account.user()))).into_response())
}

/// `DELETE /api/session`
pub(super) async fn log_out(State(app): State<Arc<App>>, caller: Caller) -> Result<Response, ApiError> {
    let Caller::User(identity) = caller else { return Err(no_session()) };
    let Proof::Session { key } = &identity.proof else { return Err(no_session()) };
    app.accounts.delete_session(key).await.map_err(unless_read_only)?;
    let cookie = [(header::SET_COOKIE, cookies::clear_session(&app.config.session_cookie_name))];
    Ok((StatusCode::NO_CONTENT, cookie).into_response())
}

/// The account of whoever gives its name and password.
pub(super) async fn log_in_as(
    app: &App,
    mut fields: Fields,
    name_field: &str,
    address: IpAddr,
) -> Result<Account, ApiError> {
    let name = fields.text(name_field, 1..=MAX_NAME);
    let password = fields.text("password", 1..=MAX_PASSWORD);
    fields.finish()?;
    let too_often = |seconds| ApiError::rate_limited("too many logins: wait before trying again", seconds);
    app.logins.count(&name, address, Instant::now()).map_err(too_often)?;
    app.accounts.login(&name, password).await.map_err(login_failed)
}

/// The `Set-Cookie` value of a new CSRF secret.
pub(super) fn new_csrf_cookie(app: &App) -> String {
    cookies::set_csrf(&app.config.csrf_cookie_name, &csrf::new_secret(), app.config.secure_cookies)
}

fn login_failed(error: LoginError) -> ApiError {
    match error {
        LoginError::Rejected => ApiError::unauthorized("no_active_account", &error.to_string()),
        LoginError::Overloaded(error) => {
            let refused = ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", error.to_string());
            ApiError { retry_after: Some(1), ..refused }
        }
        LoginError::Storage(error) => error.into(),
    }
}

/// Beside a Django whose tables are not ours to write, sessions begin and end there.
fn unless_read_only(error: StorageError) -> ApiError {
    match error {
        StorageError::Denied(_) => ApiError::forbidden("sessions are Django's here: log in and out there"),
        other => other.into(),
    }
}

fn no_session() -> ApiError {
    ApiError::forbidden("there is no session to end: this request came without a session cookie")
}
