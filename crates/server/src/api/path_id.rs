use axum::extract::{FromRequestParts, Path};
use holodrive_protocol::UserId;
use http::request::Parts;

use super::ApiError;

/// The `{id}` of a path, in the one form that a number has; everything else is 404, for nothing has such an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathId(
    /// The id, above 0.
    pub i64,
);

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| ApiError::not_found())?;
        text.parse().ok().filter(|id: &i64| *id > 0 && id.to_string() == text).map(Self).ok_or_else(ApiError::not_found)
    }
}

/// The `{id}` of a path that names a user; what can be nobody's key is 404.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathUserId(
    /// The user's key.
    pub UserId,
);

impl<S: Send + Sync> FromRequestParts<S> for PathUserId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| ApiError::not_found())?;
        text.parse().map(Self).map_err(|_| ApiError::not_found())
    }
}
