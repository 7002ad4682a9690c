//! `/api/conversations`.

use std::sync::Arc;

use axum::{Json, Router, extract::State, response::Response, routing::get};
use holodrive_protocol::{
    ConversationId, MessageId,
    chat::{ChatMessage, Conversation, ConversationKind},
    http::Page,
};

use super::{ChatError, Draft};
use crate::{
    api::{ApiError, Caller, Command, PageQuery, PathId, QueryFields, Reply, require_users},
    app::App,
    storage::Tx,
};

/// Users that may be brought together in one conversation.
const PARTICIPANTS_MAX: usize = 100;

/// The paths of this feature.
pub fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/api/conversations", get(list).post(create))
        .route("/api/conversations/{id}/messages", get(history).post(post))
}

/// Newest first: the highest id.
async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    page: PageQuery,
) -> Result<Json<Page<Conversation>>, ApiError> {
    let (user, before) = (caller.user()?.clone(), page.after.unwrap_or(ConversationId::MAX));
    let chat = Arc::clone(&app.chat);
    let rows = app.storage.read(move |tx| chat.list(tx, &user, before, page.fetch())).await?;
    Ok(Json(page.page(rows, |conversation| conversation.id)))
}

async fn create(State(app): State<Arc<App>>, mut command: Command) -> Result<Response, ApiError> {
    let kind = command.fields.optional_choice::<ConversationKind>("kind");
    match (kind, command.fields.has("participant_ids")) {
        (Some(ConversationKind::Support), false) => open_support(&app, &mut command).await,
        (None | Some(ConversationKind::Direct), true) => open_direct(&app, &mut command).await,
        _ => {
            command.fields.refuse("kind", "Give either kind support, or participant_ids.");
            Err(command.fields.finish().err().unwrap_or_else(ApiError::internal))
        }
    }
}

/// 201 when it is new, 200 when the user has one already.
async fn open_support(app: &App, command: &mut Command) -> Result<Response, ApiError> {
    command.fields.finish()?;
    let user_id = command.caller.user()?.id;
    let chat = Arc::clone(&app.chat);
    let effect = move |tx: &mut Tx<'_>| {
        let (conversation, is_new) = chat.open_support_conversation(tx, user_id)?;
        Ok(if is_new { Reply::created(conversation) } else { Reply::ok(conversation) })
    };
    command.commit(&app.storage, effect).await
}

async fn open_direct(app: &App, command: &mut Command) -> Result<Response, ApiError> {
    command.caller.require_staff()?;
    let participants = command.fields.user_ids("participant_ids", 1..=PARTICIPANTS_MAX);
    command.fields.finish()?;
    let created_by = command.caller.user().ok().map(|user| user.id);
    let (chat, accounts) = (Arc::clone(&app.chat), Arc::clone(&app.accounts));
    let effect = move |tx: &mut Tx<'_>| {
        require_users(tx, &accounts, "participant_ids", &participants)?;
        Ok(Reply::created(chat.open_direct_conversation(tx, &participants, created_by)?))
    };
    command.commit(&app.storage, effect).await
}

/// Newest first.
async fn history(
    State(app): State<Arc<App>>,
    PathId(id): PathId,
    caller: Caller,
    page: PageQuery,
    query: QueryFields,
) -> Result<Json<Page<ChatMessage>>, ApiError> {
    let reader = caller.user()?.clone();
    let before = [page.after, query.id("before")?].into_iter().flatten().fold(MessageId::MAX, MessageId::min);
    let after = query.id("after")?.unwrap_or(0);
    let chat = Arc::clone(&app.chat);
    let rows = app.storage.read(move |tx| chat.history(tx, id, &reader, (after, before), page.fetch())).await?;
    Ok(Json(page.page(rows, |message| message.message_id)))
}

/// 201 when it is new, 200 with the first message when the sender has sent this `client_id` before.
async fn post(State(app): State<Arc<App>>, PathId(id): PathId, mut command: Command) -> Result<Response, ApiError> {
    let sender = command.caller.user()?.clone();
    let draft = Draft::read(&mut command.fields);
    command.fields.finish()?;
    let chat = Arc::clone(&app.chat);
    let effect = move |tx: &mut Tx<'_>| {
        let posted = chat.post(tx, id, &sender, &draft)?;
        Ok(if posted.is_new { Reply::created(posted.message) } else { Reply::ok(posted.message) })
    };
    command.commit(&app.storage, effect).await
}

impl From<ChatError> for ApiError {
    fn from(error: ChatError) -> Self {
        match error {
            ChatError::NotMember | ChatError::NoSuchMessage => Self::not_found(),
            ChatError::Storage(error) => error.into(),
        }
    }
}
