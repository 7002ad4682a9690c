//! `/api/devices`.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    response::Response,
    routing::{delete, get},
};
use holodrive_protocol::{
    UserId,
    http::{Device, Page, Platform},
};

use super::store::{self, NewDevice};
use crate::{
    api::{ApiError, Caller, Command, Fields, PathId, QueryFields, Reply, require_users},
    app::App,
    config::Secret,
};

/// The longest token. FCM promises no length; those of today have some 160 characters, APNs' 64.
const TOKEN_CHARS: usize = 2_048;
/// The longest name of a device, in characters.
const NAME_CHARS: usize = 100;

/// The routes of devices.
pub fn routes() -> Router<Arc<App>> {
    Router::new().route("/api/devices", get(list).put(register)).route("/api/devices/{id}", delete(remove))
}

async fn register(State(app): State<Arc<App>>, mut command: Command) -> Result<Response, ApiError> {
    let user_id = owner(&mut command);
    let fields = &mut command.fields;
    let platform = fields.choice::<Platform>("platform");
    let token = token(fields, platform);
    let name = fields.optional_text("name", 1..=NAME_CHARS);
    fields.finish()?;
    let Some(platform) = platform else { return Err(ApiError::internal()) };
    let new = NewDevice { user_id, platform, token, name };
    let accounts = Arc::clone(&app.accounts);
    command
        .commit(&app.storage, move |tx| {
            require_users(tx, &accounts, "user_id", &[new.user_id])?;
            Ok(Reply::ok(store::register(tx, &new)?))
        })
        .await
}

/// Whose device it is: the caller's, or of whom staff or a back end names.
fn owner(command: &mut Command) -> UserId {
    let named = if command.caller.is_staff() { command.fields.optional_user_id("user_id") } else { None };
    match (named, &command.caller) {
        (Some(user_id), _) => user_id,
        (None, Caller::User(identity)) => identity.user.id,
        (None, Caller::Backend) => command.fields.user_id("user_id"),
    }
}

/// A problem does not repeat it.
fn token(fields: &mut Fields, platform: Option<Platform>) -> Secret {
    let token = fields.text("token", 1..=TOKEN_CHARS);
    match platform {
        Some(Platform::Apns) if !token.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            fields.refuse("token", "Must be hexadecimal digits.");
        }
        _ if !token.bytes().all(|byte| byte.is_ascii_graphic()) => {
            fields.refuse("token", "Must be visible ASCII characters.");
        }
        _ => {}
    }
    Secret::new(token)
}

async fn list(State(app): State<Arc<App>>, caller: Caller, query: QueryFields) -> Result<Json<Page<Device>>, ApiError> {
    let named = query.get("user_id").filter(|_| caller.is_staff());
    let user_id = match named {
        Some(text) => text.parse().map_err(|_| ApiError::invalid_field("user_id", "Must be a user id."))?,
        None => caller.user()?.id,
    };
    let results = app.storage.read(move |tx| store::devices(tx, user_id)).await?;
    Ok(Json(Page { results, next: None }))
}

async fn remove(State(app): State<Arc<App>>, PathId(id): PathId, command: Command) -> Result<Response, ApiError> {
    let user_id = if command.caller.is_staff() { None } else { Some(command.caller.user()?.id) };
    command
        .commit(&app.storage, move |tx| {
            if store::remove(tx, id, user_id)? { Ok(Reply::no_content()) } else { Err(ApiError::not_found()) }
        })
        .await
}
