//! `/api/notifications`.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::State,
    response::Response,
    routing::{get, post},
};
use holodrive_protocol::{
    NotificationId, UserId,
    http::{NotificationsCreated, Page, ReadAll},
    notifications::{DeliveryStep, Notification, NotificationStatus},
};

use super::{Marked, NewNotification};
use crate::{
    accounts::Accounts,
    api::{ApiError, Caller, Command, Fields, PageQuery, PathId, QueryFields, Reply, require_users},
    app::App,
    storage::Tx,
};

/// Users that one request may notify.
const RECIPIENTS_MAX: usize = 10_000;
/// The longest `data` of a notification, in bytes of JSON: it is stored and sent once for each recipient.
const DATA_BYTES_MAX: usize = 16 * 1024;

/// The paths of this feature.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/api/notifications", get(list).post(create))
        .route("/api/notifications/read-all", post(read_all))
        .route("/api/notifications/{id}/read", post(read))
        .route("/api/notifications/{id}/deliveries", get(deliveries))
}

/// Newest first.
async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    page: PageQuery,
    query: QueryFields,
) -> Result<Json<Page<Notification>>, ApiError> {
    let (user_id, status) = (caller.user()?.id, status(&query)?);
    let before = page.after.unwrap_or(NotificationId::MAX);
    let notifications = Arc::clone(&app.notifications);
    let read = move |tx: &mut Tx<'_>| notifications.list(tx, user_id, before, status, page.fetch());
    let rows = app.storage.read(read).await?;
    Ok(Json(page.page(rows, |notification| notification.id)))
}

fn status(query: &QueryFields) -> Result<Option<NotificationStatus>, ApiError> {
    match query.get("status") {
        None => Ok(None),
        Some("unread") => Ok(Some(NotificationStatus::Unread)),
        Some("read") => Ok(Some(NotificationStatus::Read)),
        Some(_) => Err(ApiError::invalid_field("status", "Must be unread or read.")),
    }
}

async fn create(State(app): State<Arc<App>>, mut command: Command) -> Result<Response, ApiError> {
    command.caller.require_staff()?;
    let recipients = Recipients::read(&mut command.fields);
    let content = content(&mut command.fields);
    command.fields.finish()?;
    let (notifications, accounts) = (Arc::clone(&app.notifications), Arc::clone(&app.accounts));
    let effect = move |tx: &mut Tx<'_>| {
        let user_ids = recipients.find(tx, &accounts)?;
        let ids = notifications.notify(tx, &user_ids, content)?;
        Ok(Reply::created(NotificationsCreated { ids }))
    };
    command.commit(&app.storage, effect).await
}

/// What all recipients get.
fn content(fields: &mut Fields) -> NewNotification {
    let data = serde_json::Value::Object(fields.optional_object("data").unwrap_or_default());
    if data.to_string().len() > DATA_BYTES_MAX {
        fields.refuse("data", format!("Ensure this field has no more than {DATA_BYTES_MAX} bytes."));
    }
    NewNotification {
        title: fields.text("title", 1..=255),
        message: fields.text("message", 1..=4_000),
        notification_type: fields.text("notification_type", 1..=64),
        related_object_type: fields.optional_text("related_object_type", 1..=64),
        related_object_id: fields.optional_integer("related_object_id", i64::MIN..=i64::MAX),
        data,
    }
}

/// Who is to be notified.
enum Recipients {
    Users { field: &'static str, ids: Vec<UserId> },
    Group(String),
}

impl Recipients {
    /// Reads the one of the three fields that is there.
    fn read(fields: &mut Fields) -> Self {
        let given = ["user_id", "user_ids", "group"].map(|name| fields.has(name));
        match given {
            [true, false, false] => Self::Users { field: "user_id", ids: vec![fields.user_id("user_id")] },
            [false, true, false] => {
                Self::Users { field: "user_ids", ids: fields.user_ids("user_ids", 1..=RECIPIENTS_MAX) }
            }
            [false, false, true] => Self::Group(fields.text("group", 1..=150)),
            _ => {
                fields.refuse("user_id", "Give exactly one of user_id, user_ids and group.");
                Self::Group(String::new())
            }
        }
    }

    /// The keys of the users; an error where one does not exist, or they are too many.
    fn find(self, tx: &mut Tx<'_>, accounts: &Accounts) -> Result<Vec<UserId>, ApiError> {
        match self {
            Self::Users { field, ids } => {
                require_users(tx, accounts, field, &ids)?;
                Ok(ids)
            }
            Self::Group(name) => {
                let ids = accounts.find_group(tx, &name)?;
                match ids.len() {
                    0 => Err(ApiError::invalid_field("group", "No active user is in a group of this name.")),
                    1..=RECIPIENTS_MAX => Ok(ids),
                    _ => Err(ApiError::invalid_field("group", format!("More than {RECIPIENTS_MAX} users are in it."))),
                }
            }
        }
    }
}

/// Answers the notification as it is now.
async fn read(State(app): State<Arc<App>>, PathId(id): PathId, command: Command) -> Result<Response, ApiError> {
    let user_id = command.caller.user()?.id;
    let notifications = Arc::clone(&app.notifications);
    let effect = move |tx: &mut Tx<'_>| {
        if notifications.mark_read(tx, user_id, id)? == Marked::NotFound {
            return Err(ApiError::not_found());
        }
        Ok(Reply::ok(notifications.find(tx, user_id, id)?))
    };
    command.commit(&app.storage, effect).await
}

async fn read_all(State(app): State<Arc<App>>, command: Command) -> Result<Response, ApiError> {
    let user_id = command.caller.user()?.id;
    let notifications = Arc::clone(&app.notifications);
    let effect = move |tx: &mut Tx<'_>| {
        let updated = notifications.mark_all_read(tx, user_id)?;
        Ok(Reply::ok(ReadAll { updated }))
    };
    command.commit(&app.storage, effect).await
}

async fn deliveries(
    State(app): State<Arc<App>>,
    caller: Caller,
    PathId(id): PathId,
) -> Result<Json<Page<DeliveryStep>>, ApiError> {
    caller.require_staff()?;
    let notifications = Arc::clone(&app.notifications);
    let steps = app.storage.read(move |tx: &mut Tx<'_>| notifications.delivery_steps(tx, id)).await?;
    Ok(Json(Page { results: steps.ok_or_else(ApiError::not_found)?, next: None }))
}
