use std::{sync::Arc, time::Duration};

use reqwest::StatusCode;
use serde_json::json;
use uuid::Uuid;

use super::{SetupError, client::Client};
use crate::{
    clock::{Clock, SystemClock},
    config::{Config, Secret},
};

/// No hook has this name, so that asking for it does nothing.
const NO_HOOK: &str = "holodrive_check";

/// What is where the hooks should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The hooks, with the same secret.
    Sound,
    /// The hooks, with another secret, or with a clock that is off.
    OtherSecret,
    /// Something that believes anybody.
    Unsigned,
    /// Something else, which answers our request with this status.
    SomethingElse(u16),
    /// Nothing that answers.
    Nothing(String),
}

/// Asks the back end for a hook that does not exist: once signed, which it must answer with 404, and once signed with
/// another secret, which it must answer with 401. `None` without `HOOKS_URL`.
///
/// # Errors
/// When `HOOKS_URL` is no address.
pub async fn probe(config: &Config) -> Result<Option<Finding>, SetupError> {
    let (Some(url), Some(secret)) = (&config.hooks_url, &config.hooks_secret) else { return Ok(None) };
    let other = Secret::new(Uuid::new_v4().to_string());
    let mut answers = Vec::new();
    for secret in [secret, &other] {
        match status(&Client::new(url, secret, Arc::new(SystemClock))?, config.hooks_timeout).await {
            Ok(status) => answers.push(status),
            Err(error) => return Ok(Some(Finding::Nothing(format!("{:#}", anyhow::Error::new(error.without_url()))))),
        }
    }
    Ok(Some(match answers[..] {
        [StatusCode::NOT_FOUND, StatusCode::UNAUTHORIZED] => Finding::Sound,
        [StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED] => Finding::OtherSecret,
        [StatusCode::NOT_FOUND, StatusCode::NOT_FOUND] => Finding::Unsigned,
        [status, ..] => Finding::SomethingElse(status.as_u16()),
        [] => Finding::Nothing("nothing was asked".to_owned()),
    }))
}

async fn status(client: &Client, limit: Duration) -> reqwest::Result<StatusCode> {
    let (id, now) = (Uuid::new_v4(), SystemClock.now());
    let body = json!({"id": id, "hook": NO_HOOK, "sent_at": now, "data": {}}).to_string();
    Ok(client.post(NO_HOOK, id, body.into(), limit).await?.status())
}
