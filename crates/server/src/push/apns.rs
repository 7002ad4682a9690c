//! Apple Push Notification service, over HTTP/2 with provider tokens.
//!
//! Sources: developer.apple.com/documentation/usernotifications, "Sending notification requests to APNs",
//! "Establishing a token-based connection to APNs" and "Handling notification responses from APNs".

use std::{path::Path, time::Duration};

use holodrive_protocol::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::{Client, ClientBuilder, RequestBuilder, StatusCode, Url, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    bearer::Bearer,
    outcome::{Outcome, PushSetupError},
    service::{Answer, address, client, read_key, send},
    way::{Finding, Message},
};
use crate::{
    clock::SharedClock,
    config::{Config, Secret},
};

const KEY_SETTING: &str = "APNS_KEY";
const URL_SETTING: &str = "APNS_URL";
/// Apple takes tokens of up to an hour, and a new one every twenty minutes at most.
const TOKEN_LASTS: Duration = Duration::from_mins(40);
const RENEW_PAUSE: Duration = Duration::from_mins(20);
/// A token of the right form that no device has, and how Apple refuses it.
const NO_TOKEN: &str = "0000000000000000000000000000000000000000000000000000000000000000";
const NO_TOKEN_REFUSED: &str = "400 BadDeviceToken";
pub(super) const PUSH_TYPE: &str = "alert";
const OFFERED: &str = "New ride request available";
const OVER: &str = "The ride request is no longer available";

/// Sends as one team to one app.
pub(super) struct Apns {
    http: Client,
    devices: Url,
    topic: String,
    team_id: String,
    key_id: String,
    key: EncodingKey,
    bearer: Bearer,
    clock: SharedClock,
}

#[derive(Serialize)]
struct Claims<'c> {
    iss: &'c str,
    iat: i64,
}

#[derive(Default, Deserialize)]
struct Refusal {
    reason: String,
    /// Milliseconds since the epoch.
    timestamp: Option<i64>,
}

impl Apns {
    /// `None` where no key is set.
    pub(super) fn new(config: &Config, clock: SharedClock) -> Result<Option<Self>, PushSetupError> {
        let (Some(file), Some(key_id), Some(team_id), Some(topic)) =
            (&config.apns_key, &config.apns_key_id, &config.apns_team_id, &config.apns_topic)
        else {
            return Ok(None);
        };
        Ok(Some(Self {
            http: client(URL_SETTING, ClientBuilder::http2_prior_knowledge)?,
            devices: address(URL_SETTING, &config.apns_url, &["3", "device"])?,
            topic: topic.clone(),
            team_id: team_id.clone(),
            key_id: key_id.clone(),
            key: read(file)?,
            bearer: Bearer::new(RENEW_PAUSE),
            clock,
        }))
    }

    /// Tries once; twice where the provider token was too old.
    pub(super) async fn send(&self, token: &Secret, compose: impl FnOnce() -> Option<Message>) -> Outcome {
        let Some(message) = compose() else { return Outcome::too_late() };
        let (expiration, collapse_id) = (message.expiration().to_string(), message.collapse_key());
        self.deliver(token.expose(), &payload(&message), priority(&message), &expiration, &collapse_id).await
    }

    /// Asks for a push to nobody, which must be refused for this reason alone.
    pub(super) async fn probe(&self) -> Finding {
        match self.deliver(NO_TOKEN, &json!({"aps": {}}), "5", "0", "check").await {
            Outcome::Sent | Outcome::Unregistered { .. } => Finding::Sound,
            Outcome::Failed(reason) if reason == NO_TOKEN_REFUSED => Finding::Sound,
            Outcome::Failed(reason) | Outcome::Delayed { reason, .. } => Finding::Problem(reason),
        }
    }

    async fn deliver(
        &self,
        token: &str,
        payload: &Value,
        priority: &str,
        expiration: &str,
        collapse_id: &str,
    ) -> Outcome {
        let mut address = self.devices.clone();
        if let Ok(mut path) = address.path_segments_mut() {
            path.push(token);
        }
        let request = self.http.post(address).json(payload);
        let request = request.header("apns-topic", &self.topic).header("apns-push-type", PUSH_TYPE);
        let request = request.header("apns-priority", priority).header("apns-expiration", expiration);
        match self.authorized(request.header("apns-collapse-id", collapse_id)).await {
            Ok(answer) => judge(&answer),
            Err(reason) => Outcome::delayed(reason),
        }
    }

    async fn authorized(&self, request: RequestBuilder) -> Result<Answer, String> {
        let again = request.try_clone();
        let provider = self.token(None).await?;
        let answer = send(authorization(request, &provider), &self.clock).await?;
        let is_old = answer.status == StatusCode::FORBIDDEN && refusal(&answer).reason == "ExpiredProviderToken";
        let Some(again) = again.filter(|_| is_old) else { return Ok(answer) };
        match self.token(Some(&provider)).await? {
            other if other == provider => Ok(answer),
            other => send(authorization(again, &other), &self.clock).await,
        }
    }

    async fn token(&self, refused: Option<&Secret>) -> Result<Secret, String> {
        let make = async || Ok((self.sign()?, TOKEN_LASTS));
        self.bearer.token(refused, make).await
    }

    fn sign(&self) -> Result<Secret, String> {
        let claims = Claims { iss: &self.team_id, iat: self.clock.now().as_micros() / 1_000_000 };
        let header = Header { kid: Some(self.key_id.clone()), ..Header::new(Algorithm::ES256) };
        let token = jsonwebtoken::encode(&header, &claims, &self.key);
        token.map(Secret::new).map_err(|_| "the provider token cannot be signed".to_owned())
    }
}

/// The scheme as Apple writes it.
fn authorization(request: RequestBuilder, provider: &Secret) -> RequestBuilder {
    request.header(header::AUTHORIZATION, format!("bearer {}", provider.expose()))
}

fn read(file: &Path) -> Result<EncodingKey, PushSetupError> {
    let text = read_key(KEY_SETTING, file)?;
    EncodingKey::from_ec_pem(text.expose().as_bytes()).map_err(|_| PushSetupError::Malformed {
        setting: KEY_SETTING,
        file: file.to_owned(),
        problem: "holds no elliptic curve key in PEM form".to_owned(),
    })
}

fn payload(message: &Message) -> Value {
    let mut payload = data(message);
    payload["aps"] = aps(message);
    payload
}

/// An offer comes at once, whatever that costs the battery; its end need not.
pub(super) const fn priority(message: &Message) -> &'static str {
    if message.is_live { "10" } else { "5" }
}

/// What the app is told, as texts: FCM takes nothing else.
pub(super) fn data(message: &Message) -> Value {
    let mut data = json!({
        "type": if message.is_live { "new_order" } else { "order_gone" },
        "order_id": message.order.id.to_string(),
        "order_code": message.order.order_code,
        "offer_id": message.offer_id.to_string(),
    });
    if message.is_live {
        data["expires_at"] = message.expires_at.to_string().into();
    }
    data
}

/// What iOS shows, and that it wakes the app as well, which may change the words. The end of an offer takes its place without a
/// sound.
pub(super) fn aps(message: &Message) -> Value {
    if !message.is_live {
        return json!({"alert": {"title": OVER}, "interruption-level": "passive", "content-available": 1});
    }
    json!({
        "alert": {"title": OFFERED, "body": message.order.address_from},
        "sound": "default",
        "interruption-level": "time-sensitive",
        "content-available": 1,
        "mutable-content": 1,
    })
}

fn refusal(answer: &Answer) -> Refusal {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

fn judge(answer: &Answer) -> Outcome {
    if answer.status.is_success() {
        return Outcome::Sent;
    }
    let refusal = refusal(answer);
    let reason = answer.reason(&refusal.reason);
    // `BadDeviceToken` is said of each token of the other environment, too: it is `APNS_URL` that may be wrong.
    let is_gone =
        answer.status == StatusCode::GONE && matches!(refusal.reason.as_str(), "Unregistered" | "ExpiredToken");
    if is_gone {
        let since = refusal.timestamp.map(|millis| Timestamp::from_micros(millis.saturating_mul(1_000)));
        Outcome::Unregistered { since, reason }
    } else if answer.is_temporary() {
        Outcome::Delayed { after: answer.retry_after, reason }
    } else {
        Outcome::Failed(reason)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn judged(status: u16, body: &Value) -> Outcome {
        let status = StatusCode::from_u16(status).unwrap();
        judge(&Answer { status, retry_after: None, body: body.to_string().into_bytes() })
    }

    #[test]
    fn a_device_is_forgotten_only_where_apple_means_its_token() {
        let since = Some("2026-01-01T00:00:00+00:00".parse().unwrap());
        let gone = json!({"reason": "Unregistered", "timestamp": 1_767_225_600_000_i64});
        assert_eq!(judged(410, &gone), Outcome::Unregistered { since, reason: "410 Unregistered".to_owned() });
        let others =
            [(400, "BadDeviceToken"), (400, "DeviceTokenNotForTopic"), (403, "InvalidProviderToken"), (404, "BadPath")];
        for (status, reason) in others {
            let failed = Outcome::Failed(format!("{status} {reason}"));
            assert_eq!(judged(status, &json!({"reason": reason})), failed);
        }
        assert_eq!(judged(410, &json!("<html>")), Outcome::Failed("410".to_owned()));
    }

    #[test]
    fn what_may_work_later_is_tried_again() {
        for (status, reason) in [(429, "TooManyRequests"), (500, "InternalServerError"), (503, "Shutdown")] {
            assert_eq!(judged(status, &json!({"reason": reason})), Outcome::delayed(format!("{status} {reason}")));
        }
    }
}
