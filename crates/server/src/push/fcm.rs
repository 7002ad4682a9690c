//! Firebase Cloud Messaging, HTTP v1.
//!
//! Sources: firebase.google.com/docs/reference/fcm/rest/v1/projects.messages, its `ErrorCode` and `FcmError`.

use std::time::Duration;

use reqwest::{Client, StatusCode, Url};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    apns,
    oauth::OAuth,
    outcome::{Outcome, PushSetupError},
    service::{Answer, address, client, send},
    way::{Finding, Message},
};
use crate::{
    clock::SharedClock,
    config::{Config, Secret},
};

const SETTING: &str = "FCM_URL";
/// No device has this token.
const NO_TOKEN: &str = "holodrive-check";
/// Google's least pause after 429, where the answer names none.
const QUOTA_PAUSE: Duration = Duration::from_mins(1);

/// Sends as a service account of one project.
pub(super) struct Fcm {
    http: Client,
    address: Url,
    oauth: OAuth,
}

#[derive(Deserialize)]
struct Refusal {
    error: Error,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Error {
    status: String,
    message: String,
    details: Vec<Detail>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Detail {
    error_code: Option<String>,
    field_violations: Vec<Violation>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Violation {
    field: String,
}

impl Fcm {
    /// `None` where no credentials are set.
    pub(super) fn new(config: &Config, clock: SharedClock) -> Result<Option<Self>, PushSetupError> {
        let Some(file) = &config.fcm_credentials else { return Ok(None) };
        let oauth = OAuth::read(file, clock)?;
        let steps = ["v1", "projects", &oauth.project_id, "messages:send"];
        let address = address(SETTING, &config.fcm_url, &steps)?;
        Ok(Some(Self { http: client(SETTING, |builder| builder)?, address, oauth }))
    }

    /// Tries once; twice where the access token was refused.
    pub(super) async fn send(&self, token: &Secret, compose: impl FnOnce() -> Option<Message>) -> Outcome {
        // Signing in may take a while, and the message says how long it counts.
        if let Err(reason) = self.oauth.token(&self.http, None).await {
            return Outcome::delayed(reason);
        }
        match compose() {
            Some(message) => self.deliver(&json!({"message": fields(token, &message)})).await,
            None => Outcome::too_late(),
        }
    }

    /// Asks whether a message to nobody would be sent.
    pub(super) async fn probe(&self) -> Finding {
        let message = json!({"token": NO_TOKEN, "data": {"type": "check"}});
        match self.deliver(&json!({"validate_only": true, "message": message})).await {
            Outcome::Sent | Outcome::Unregistered { .. } => Finding::Sound,
            Outcome::Failed(reason) | Outcome::Delayed { reason, .. } => Finding::Problem(reason),
        }
    }

    async fn deliver(&self, body: &Value) -> Outcome {
        match self.try_to_deliver(body).await {
            Ok(answer) => judge(&answer),
            Err(reason) => Outcome::delayed(reason),
        }
    }

    async fn try_to_deliver(&self, body: &Value) -> Result<Answer, String> {
        let access = self.oauth.token(&self.http, None).await?;
        let answer = self.post(&access, body).await?;
        if !is_about_our_token(&answer) {
            return Ok(answer);
        }
        match self.oauth.token(&self.http, Some(&access)).await? {
            other if other == access => Ok(answer),
            other => self.post(&other, body).await,
        }
    }

    async fn post(&self, access: &Secret, body: &Value) -> Result<Answer, String> {
        let request = self.http.post(self.address.clone()).bearer_auth(access.expose()).json(body);
        send(request, &self.oauth.clock).await
    }
}

/// A data message, which the app turns into what the driver sees; iOS, where the app may not run, gets an alert.
fn fields(token: &Secret, message: &Message) -> Value {
    let apns_headers = json!({
        "apns-priority": apns::priority(message),
        "apns-push-type": apns::PUSH_TYPE,
        "apns-expiration": message.expiration().to_string(),
        "apns-collapse-id": message.collapse_key(),
    });
    json!({
        "token": token.expose(),
        "data": apns::data(message),
        "android": {
            "priority": if message.is_live { "HIGH" } else { "NORMAL" },
            "ttl": format!("{}s", message.ttl_seconds),
            "collapse_key": message.collapse_key(),
        },
        "apns": {"headers": apns_headers, "payload": {"aps": apns::aps(message)}},
    })
}

impl Error {
    fn of(answer: &Answer) -> Self {
        serde_json::from_slice(&answer.body).map_or_else(|_| Self::default(), |refusal: Refusal| refusal.error)
    }

    /// What FCM itself says, and not Google in front of it.
    fn fcm_code(&self) -> Option<&str> {
        self.details.iter().find_map(|detail| detail.error_code.as_deref())
    }
}

/// FCM says 401, too, when Apple or a web push service does not take the credentials that it has for them.
fn is_about_our_token(answer: &Answer) -> bool {
    answer.status == StatusCode::UNAUTHORIZED && Error::of(answer).fcm_code().is_none()
}

fn judge(answer: &Answer) -> Outcome {
    if answer.status.is_success() {
        return Outcome::Sent;
    }
    let error = Error::of(answer);
    let code = error.fcm_code().unwrap_or(&error.status);
    let reason = answer.reason(code);
    if code == "UNREGISTERED" || is_bad_token(code, &error) {
        Outcome::Unregistered { since: None, reason }
    } else if answer.is_temporary() {
        let least = (answer.status == StatusCode::TOO_MANY_REQUESTS).then_some(QUOTA_PAUSE);
        Outcome::Delayed { after: answer.retry_after.or(least), reason }
    } else {
        Outcome::Failed(reason)
    }
}

/// Google tells so in two ways: by naming the field, or in its words only.
fn is_bad_token(code: &str, error: &Error) -> bool {
    let mut violations = error.details.iter().flat_map(|detail| &detail.field_violations).peekable();
    let is_about_the_token = match violations.peek() {
        Some(_) => violations.all(|violation| violation.field == "message.token"),
        None => error.message.contains("registration token"),
    };
    code == "INVALID_ARGUMENT" && is_about_the_token
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, body: &Value) -> Outcome {
        let status = StatusCode::from_u16(status).unwrap_or_default();
        judge(&Answer { status, retry_after: None, body: body.to_string().into_bytes() })
    }

    fn refusal(code: u16, status: &str, message: &str, details: &Value) -> Outcome {
        let error = json!({"code": code, "message": message, "status": status, "details": details});
        judged(code, &json!({"error": error}))
    }

    fn fcm_error(code: &str) -> Value {
        json!({"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code})
    }

    #[test]
    fn a_device_is_forgotten_only_where_google_means_its_token() {
        let field = |field: &str| json!({"fieldViolations": [{"field": field, "description": "…"}]});
        let forgotten = |outcome| matches!(outcome, Outcome::Unregistered { .. });
        let invalid = |message: &str, details: &Value| refusal(400, "INVALID_ARGUMENT", message, details);
        assert!(forgotten(refusal(404, "NOT_FOUND", "…", &json!([fcm_error("UNREGISTERED")]))));
        assert!(forgotten(invalid("…", &json!([fcm_error("INVALID_ARGUMENT"), field("message.token")]))));
        let words = "The registration token is not a valid FCM registration token";
        assert!(forgotten(invalid(words, &json!([fcm_error("INVALID_ARGUMENT")]))));
        assert!(!forgotten(invalid("…", &json!([fcm_error("INVALID_ARGUMENT"), field("message.android.ttl")]))));
        assert!(!forgotten(refusal(404, "NOT_FOUND", "…", &json!([]))), "the project may be another one");
        assert!(!forgotten(judged(404, &json!("<html>"))));
    }

    #[test]
    fn what_may_work_later_is_tried_again() {
        for status in [500, 502, 503, 504] {
            let expected = Outcome::delayed(status.to_string());
            assert_eq!(judged(status, &json!("<html>")), expected);
        }
        let mismatch = refusal(403, "PERMISSION_DENIED", "…", &json!([fcm_error("SENDER_ID_MISMATCH")]));
        assert_eq!(mismatch, Outcome::Failed("403 SENDER_ID_MISMATCH".to_owned()));
    }

    #[test]
    fn a_quota_that_is_used_up_has_a_minute_at_least_unless_google_says_otherwise() {
        let after = |retry_after| {
            let answer = Answer { status: StatusCode::TOO_MANY_REQUESTS, retry_after, body: Vec::new() };
            judge(&answer)
        };
        let delayed = |after| Outcome::Delayed { after: Some(after), reason: "429".to_owned() };
        assert_eq!(after(None), delayed(Duration::from_secs(60)));
        assert_eq!(after(Some(Duration::from_secs(2))), delayed(Duration::from_secs(2)));
    }

    #[test]
    fn a_401_that_is_about_another_service_is_no_reason_to_sign_in_again() {
        let answer = |details: &Value| Answer {
            status: StatusCode::UNAUTHORIZED,
            retry_after: None,
            body: json!({"error": {"status": "UNAUTHENTICATED", "details": details}}).to_string().into_bytes(),
        };
        assert!(is_about_our_token(&answer(&json!([{"reason": "ACCESS_TOKEN_EXPIRED"}]))));
        let third_party = answer(&json!([fcm_error("THIRD_PARTY_AUTH_ERROR")]));
        assert!(!is_about_our_token(&third_party));
        assert_eq!(judge(&third_party), Outcome::Failed("401 THIRD_PARTY_AUTH_ERROR".to_owned()));
    }
}
