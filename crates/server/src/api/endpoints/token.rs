//! SimpleJWT's endpoints, in its shapes: a field's problems stand at the top of the body.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Extension, Json,
    extract::State,
    response::{IntoResponse, Response},
};
use holodrive_protocol::http::{AccessToken, ErrorBody};
use http::StatusCode;
use serde::Serialize;
use serde_json::json;

use super::session::log_in_as;
use crate::{
    accounts::{
        RefreshError,
        jwt::{IssueError, TokenError, TokenPair},
    },
    api::{ApiError, Fields},
    app::App,
    server::ClientAddress,
};

/// The longest token, in characters.
const MAX_TOKEN: usize = 16 * 1024;

/// `POST /api/token`
pub(super) async fn obtain(
    State(app): State<Arc<App>>,
    Extension(ClientAddress(address)): Extension<ClientAddress>,
    fields: Fields,
) -> Result<Json<TokenPair>, TokenRefused> {
    let account = log_in_as(&app, fields, &app.config.auth_login_field, address).await?;
    Ok(Json(app.accounts.token_pair(&account)?))
}

/// `POST /api/token/refresh`
pub(super) async fn refresh(
    State(app): State<Arc<App>>,
    mut fields: Fields,
) -> Result<Json<AccessToken>, TokenRefused> {
    let token = fields.text("refresh", 1..=MAX_TOKEN);
    fields.finish()?;
    let access = app.accounts.refresh(&token).await?;
    Ok(Json(AccessToken { access }))
}

/// `POST /api/token/verify`
pub(super) async fn verify(State(app): State<Arc<App>>, mut fields: Fields) -> Result<Response, TokenRefused> {
    let token = fields.text("token", 1..=MAX_TOKEN);
    fields.finish()?;
    app.accounts.verify_token(&token).await?;
    Ok(Json(json!({})).into_response())
}

/// An error in SimpleJWT's shape.
pub(super) struct TokenRefused(ApiError);

#[derive(Serialize)]
struct TokenRefusedBody {
    #[serde(flatten)]
    fields: BTreeMap<String, Vec<String>>,
    #[serde(flatten)]
    body: ErrorBody,
}

impl IntoResponse for TokenRefused {
    fn into_response(self) -> Response {
        if self.0.status != StatusCode::BAD_REQUEST {
            return self.0.into_response();
        }
        let body = self.0.body;
        (self.0.status, Json(TokenRefusedBody { fields: body.errors.clone(), body: *body })).into_response()
    }
}

impl From<ApiError> for TokenRefused {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl From<TokenError> for TokenRefused {
    fn from(error: TokenError) -> Self {
        Self(token_not_valid(&error))
    }
}

impl From<RefreshError> for TokenRefused {
    fn from(error: RefreshError) -> Self {
        match error {
            RefreshError::Token(_) | RefreshError::Blacklisted => Self(token_not_valid(&error)),
            RefreshError::NoAccount => Self(ApiError::unauthorized("no_active_account", &error.to_string())),
            RefreshError::Issue(error) => error.into(),
            RefreshError::Storage(error) => Self(error.into()),
        }
    }
}

impl From<IssueError> for TokenRefused {
    fn from(error: IssueError) -> Self {
        Self(match error {
            IssueError::NoUserId => ApiError::unauthorized("no_active_account", &error.to_string()),
            _ => ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", error.to_string()),
        })
    }
}

fn token_not_valid(error: &impl ToString) -> ApiError {
    ApiError::unauthorized("token_not_valid", &error.to_string())
}
