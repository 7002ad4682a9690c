use std::sync::Arc;

use axum::extract::FromRequestParts;
use holodrive_protocol::http::TokenProblem;
use http::{HeaderMap, HeaderName, header, request::Parts};
use sha2::{Digest, Sha256};

use super::ApiError;
use crate::{
    accounts::{
        Credential, Identity, Refusal, User, cookies, csrf,
        signing::{constant_time_eq, hex},
    },
    app::App,
};

/// Django's default `CSRF_HEADER_NAME`.
const CSRF_HEADER: HeaderName = HeaderName::from_static("x-csrftoken");

/// Who makes a request.
#[derive(Clone)]
pub enum Caller {
    /// A user, by access token or session cookie.
    User(Identity),
    /// A trusted back end, by one of `API_KEYS`.
    Backend,
}

impl Caller {
    /// The user; a back end is refused, because it is nobody.
    pub fn user(&self) -> Result<&User, ApiError> {
        match self {
            Self::User(identity) => Ok(&identity.user),
            Self::Backend => Err(ApiError::forbidden("this is for users; an API key belongs to none")),
        }
    }

    /// Whether everything may be seen and done: staff and back ends.
    pub fn is_staff(&self) -> bool {
        match self {
            Self::User(identity) => identity.user.is_staff,
            Self::Backend => true,
        }
    }

    /// Refuses all but staff and back ends.
    pub fn require_staff(&self) -> Result<(), ApiError> {
        if self.is_staff() { Ok(()) } else { Err(ApiError::forbidden("this is for staff and trusted back ends")) }
    }
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        authenticate(parts, app).await.map(|authenticated| authenticated.caller)
    }
}

/// A caller, and the name under which his idempotency keys are kept.
pub(super) struct Authenticated {
    pub(super) caller: Caller,
    pub(super) actor: String,
}

impl Authenticated {
    fn user(identity: Identity) -> Self {
        let actor = identity.user.id.to_string();
        Self { caller: Caller::User(identity), actor }
    }
}

/// Finds out who is asking. `Authorization` decides where it has a scheme that is known here, else the session cookie,
/// which for unsafe methods counts only under Django's CSRF rule.
pub(super) async fn authenticate(parts: &Parts, app: &App) -> Result<Authenticated, ApiError> {
    match authorization(&parts.headers)? {
        Some(Authorization::Bearer(token)) => {
            let credential = Credential::AccessToken(token.to_owned());
            app.accounts.authenticate(&credential).await.map(Authenticated::user).map_err(token_refused)
        }
        Some(Authorization::ApiKey(key)) => authenticate_backend(app, key),
        None => authenticate_session(parts, app).await,
    }
}

enum Authorization<'h> {
    Bearer(&'h str),
    ApiKey(&'h str),
}

/// Schemes are case-sensitive, as SimpleJWT's are; an unknown one counts as no header.
fn authorization(headers: &HeaderMap) -> Result<Option<Authorization<'_>>, ApiError> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let mut words = value.to_str().unwrap_or_default().split_ascii_whitespace();
    let (scheme, secret, rest) = (words.next(), words.next(), words.next());
    match (scheme, secret, rest) {
        (Some("Bearer"), Some(token), None) => Ok(Some(Authorization::Bearer(token))),
        (Some("Api-Key"), Some(key), None) => Ok(Some(Authorization::ApiKey(key))),
        (Some("Bearer" | "Api-Key"), _, _) => {
            let detail = "Authorization header must contain two space-delimited values";
            Err(ApiError::unauthorized("bad_authorization_header", detail))
        }
        _ => Ok(None),
    }
}

fn token_refused(refusal: Refusal) -> ApiError {
    let message = match refusal {
        Refusal::Unauthorized => "Token is invalid",
        Refusal::TokenExpired => "Token is expired",
        Refusal::Unavailable => return ApiError::unavailable(),
    };
    let mut error = ApiError::unauthorized("token_not_valid", "Given token not valid for any token type");
    let (token_class, token_type) = ("AccessToken".to_owned(), "access".to_owned());
    error.body.messages = vec![TokenProblem { token_class, token_type, message: message.to_owned() }];
    error
}

/// Compares with every key, so that the time taken tells nothing.
fn authenticate_backend(app: &App, given: &str) -> Result<Authenticated, ApiError> {
    let known = app.config.api_keys.iter().fold(false, |found, key| found | constant_time_eq(key.expose(), given));
    if !known {
        return Err(ApiError::unauthorized("authentication_failed", "this API key is not one of API_KEYS"));
    }
    let actor = format!("backend:{}", hex(&Sha256::digest(given)));
    Ok(Authenticated { caller: Caller::Backend, actor })
}

async fn authenticate_session(parts: &Parts, app: &App) -> Result<Authenticated, ApiError> {
    let missing = || ApiError::unauthorized("not_authenticated", "Authentication credentials were not provided.");
    let cookie = cookies::from_headers(&parts.headers, &app.config.session_cookie_name).ok_or_else(missing)?;
    let identity = match app.accounts.authenticate(&Credential::SessionCookie(cookie)).await {
        Ok(identity) => identity,
        Err(Refusal::Unavailable) => return Err(ApiError::unavailable()),
        Err(_) => return Err(missing()),
    };
    if !parts.method.is_safe() {
        check_origin(&parts.headers, app)?;
        check_csrf_token(&parts.headers, app)?;
    }
    Ok(Authenticated::user(identity))
}

/// Refuses a request from a page of an origin that is not allowed.
pub(super) fn check_origin(headers: &HeaderMap, app: &App) -> Result<(), ApiError> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or("null"));
    match text(header::ORIGIN) {
        Some(origin) if !app.origins.allows(Some(origin), text(header::HOST)) => {
            Err(csrf_failed("this Origin is not allowed: see ALLOWED_ORIGINS"))
        }
        _ => Ok(()),
    }
}

fn check_csrf_token(headers: &HeaderMap, app: &App) -> Result<(), ApiError> {
    let cookie = cookies::from_headers(headers, &app.config.csrf_cookie_name);
    let token = headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok());
    match (cookie, token) {
        (Some(cookie), Some(token)) if csrf::matches(&cookie, token) => Ok(()),
        _ => Err(csrf_failed("send the CSRF cookie's value in the X-CSRFToken header")),
    }
}

fn csrf_failed(detail: &str) -> ApiError {
    ApiError::new(http::StatusCode::FORBIDDEN, "csrf_failed", detail)
}
