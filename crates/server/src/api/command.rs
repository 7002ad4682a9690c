use std::sync::Arc;

use axum::{
    extract::{FromRequest, Request},
    response::{IntoResponse, Response},
};

use super::{ApiError, Caller, Fields, Reply, body, caller::authenticate, idempotency::IdempotencyKey};
use crate::{
    app::App,
    storage::{Storage, Tx},
};

/// An unsafe request: who asks, and the fields of its JSON body.
///
/// ```ignore
/// async fn create(State(app): State<Arc<App>>, mut command: Command) -> Result<Response, ApiError> {
///     let title = command.fields.text("title", 1..=200);
///     command.fields.finish()?;
///     command.commit(&app.storage, move |tx| Ok(Reply::created(store::insert(tx, &title)?))).await
/// }
/// ```
pub struct Command {
    /// Who asks.
    pub caller: Caller,
    /// What the body says.
    pub fields: Fields,
    key: Option<IdempotencyKey>,
}

impl FromRequest<Arc<App>> for Command {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        // The body first: an answer that leaves it unread costs the client his connection.
        let body = body::receive(body, app.config.handshake_timeout).await?;
        let authenticated = authenticate(&parts, app).await?;
        let fields = Fields::new(body::parse(&parts.headers, &body)?);
        let key = IdempotencyKey::of(&parts, &body, authenticated.actor)?;
        Ok(Self { caller: authenticated.caller, fields, key })
    }
}

impl Command {
    /// Runs `effect` in a transaction, and answers what it replies once that is on disk.
    ///
    /// With an `Idempotency-Key` the answer is stored in the same transaction; when the same request comes again within
    /// 24 hours, `effect` does not run and the stored answer is given. An error of `effect` undoes what it wrote; a 4xx is
    /// stored as the answer all the same, unless it asks to try again later; a 5xx never is. What the handler refuses before calling this is not stored.
    ///
    /// # Errors
    /// What `effect` says; 409 `idempotency_conflict` where the key was used for another request.
    pub async fn commit(
        &self,
        storage: &Storage,
        effect: impl FnOnce(&mut Tx<'_>) -> Result<Reply, ApiError> + Send + 'static,
    ) -> Result<Response, ApiError> {
        let reply = match self.key.clone() {
            None => storage.write(effect).await,
            Some(key) => key.commit(storage, effect).await,
        };
        reply.map(IntoResponse::into_response)
    }
}
