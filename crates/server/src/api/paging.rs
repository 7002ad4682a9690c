use axum::extract::{FromRequestParts, Query};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use holodrive_protocol::http::Page;
use http::request::Parts;

use super::ApiError;

/// The most entries that a page may have.
const MAX_LIMIT: usize = 200;
const DEFAULT_LIMIT: usize = 50;

/// Which page of a list is wanted: `?cursor=` and `?limit=`.
///
/// A list is ordered by an id. Select the rows behind [`PageQuery::after`], [`PageQuery::fetch`] of them, and make the
/// page with [`PageQuery::page`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageQuery {
    /// The id of the last entry of the page before; none for the first page.
    pub after: Option<i64>,
    /// How many entries the page may have.
    pub limit: usize,
}

impl PageQuery {
    /// How many rows to select: one more than the page has tells whether another page follows.
    pub fn fetch(&self) -> i64 {
        i64::try_from(self.limit).unwrap_or(i64::MAX).saturating_add(1)
    }

    /// The page that these rows make; `id` is what the list is ordered by.
    pub fn page<T>(&self, mut rows: Vec<T>, id: impl Fn(&T) -> i64) -> Page<T> {
        let more = rows.len() > self.limit;
        rows.truncate(self.limit);
        let next = rows.last().filter(|_| more).map(|last| encode(id(last)));
        Page { results: rows, next }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PageQuery {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = QueryFields::of(parts);
        let after = query.get("cursor").map(|cursor| decode(cursor).ok_or_else(bad_cursor)).transpose()?;
        let limit = query.get("limit").map(read_limit).transpose()?.unwrap_or(DEFAULT_LIMIT);
        Ok(Self { after, limit })
    }
}

/// What stands behind the question mark of an address; the first of a name counts.
pub struct QueryFields(Vec<(String, String)>);

impl QueryFields {
    fn of(parts: &Parts) -> Self {
        Self(Query::try_from_uri(&parts.uri).map(|query| query.0).unwrap_or_default())
    }

    /// The value of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The id of that name.
    ///
    /// # Errors
    /// 400 where it is not a whole number.
    pub fn id(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let invalid = |_| ApiError::invalid_field(name, "A valid integer is required.");
        self.get(name).map(str::parse).transpose().map_err(invalid)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for QueryFields {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(Self::of(parts))
    }
}

fn read_limit(text: &str) -> Result<usize, ApiError> {
    match text.parse() {
        Ok(limit @ 1..=MAX_LIMIT) => Ok(limit),
        _ => Err(ApiError::invalid_field("limit", format!("Must be a whole number from 1 to {MAX_LIMIT}."))),
    }
}

fn encode(id: i64) -> String {
    URL_SAFE_NO_PAD.encode(id.to_be_bytes())
}

fn decode(cursor: &str) -> Option<i64> {
    URL_SAFE_NO_PAD.decode(cursor).ok()?.try_into().ok().map(i64::from_be_bytes)
}

fn bad_cursor() -> ApiError {
    ApiError::invalid_field("cursor", "Not a cursor of this list: give what `next` said.")
}
