//! Access tokens of Google's OAuth 2.0 for a service account (RFC 7523): a signed assertion for a token.

use std::{path::Path, time::Duration};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::{Client, Url, header};
use serde::{Deserialize, Serialize};

use super::{
    bearer::Bearer,
    outcome::PushSetupError,
    service::{read_key, send},
};
use crate::{clock::SharedClock, config::Secret};

const SETTING: &str = "FCM_CREDENTIALS";
const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";
/// `urn:ietf:params:oauth:grant-type:jwt-bearer`, encoded for a form. An assertion needs no encoding.
const GRANT: &str = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=";
/// How long an assertion counts, in seconds: Google's longest.
const ASSERTION_SECONDS: i64 = 3_600;
/// A token is renewed so long before its end, or at nine tenths of a short life.
const EARLY: Duration = Duration::from_secs(60);
/// A token that FCM refuses is renewed at most so often.
const RENEW_PAUSE: Duration = Duration::from_secs(10);

/// What of the file of a service account is needed here.
#[derive(Deserialize)]
struct KeyFile {
    #[serde(rename = "type")]
    kind: String,
    project_id: String,
    private_key_id: Option<String>,
    private_key: String,
    client_email: String,
    token_uri: String,
}

#[derive(Serialize)]
struct Claims<'c> {
    iss: &'c str,
    scope: &'static str,
    aud: &'c str,
    iat: i64,
    exp: i64,
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    expires_in: u64,
}

#[derive(Deserialize)]
struct Denied {
    error: String,
}

/// A service account, and its access token.
pub(super) struct OAuth {
    pub(super) project_id: String,
    email: String,
    key_id: Option<String>,
    key: EncodingKey,
    address: Url,
    /// The same as Google wrote it: assertions name it.
    token_uri: String,
    bearer: Bearer,
    pub(super) clock: SharedClock,
}

impl OAuth {
    /// Reads the key file of a service account, as Google makes it.
    pub(super) fn read(file: &Path, clock: SharedClock) -> Result<Self, PushSetupError> {
        let malformed = |problem: &str| PushSetupError::Malformed {
            setting: SETTING,
            file: file.to_owned(),
            problem: problem.to_owned(),
        };
        let text = read_key(SETTING, file)?;
        let read: KeyFile = serde_json::from_str(text.expose())
            .map_err(|error| malformed(&format!("is no key file of a service account (line {})", error.line())))?;
        if read.kind != "service_account" {
            return Err(malformed("is the key file of something else than a service account"));
        }
        let key = EncodingKey::from_rsa_pem(read.private_key.as_bytes())
            .map_err(|_| malformed("holds no RSA key in PEM form"))?;
        let address = Url::parse(&read.token_uri).map_err(|_| malformed("has a token_uri that is no address"))?;
        Ok(Self {
            project_id: read.project_id,
            email: read.client_email,
            key_id: read.private_key_id,
            key,
            address,
            token_uri: read.token_uri,
            bearer: Bearer::new(RENEW_PAUSE),
            clock,
        })
    }

    /// The access token, another one than `refused`.
    ///
    /// # Errors
    /// Why there is none at the moment.
    pub(super) async fn token(&self, http: &Client, refused: Option<&Secret>) -> Result<Secret, String> {
        self.bearer.token(refused, async || self.fetch(http).await).await
    }

    async fn fetch(&self, http: &Client) -> Result<(Secret, Duration), String> {
        let body = format!("{GRANT}{}", self.assertion()?);
        let request = http.post(self.address.clone()).body(body);
        let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let answer = send(request, &self.clock).await.map_err(|reason| format!("no access token: {reason}"))?;
        if !answer.status.is_success() {
            let code = serde_json::from_slice(&answer.body).map_or(String::new(), |denied: Denied| denied.error);
            return Err(format!("no access token: {}", answer.reason(&code)));
        }
        let granted: Granted =
            serde_json::from_slice(&answer.body).map_err(|_| "no access token: the answer holds none".to_owned())?;
        let lasts = Duration::from_secs(granted.expires_in);
        Ok((Secret::new(granted.access_token), lasts.saturating_sub(EARLY.min(lasts / 10))))
    }

    fn assertion(&self) -> Result<String, String> {
        let iat = self.clock.now().as_micros() / 1_000_000;
        let (iss, aud) = (self.email.as_str(), self.token_uri.as_str());
        let claims = Claims { iss, scope: SCOPE, aud, iat, exp: iat + ASSERTION_SECONDS };
        let header = Header { kid: self.key_id.clone(), ..Header::new(Algorithm::RS256) };
        jsonwebtoken::encode(&header, &claims, &self.key).map_err(|_| "the assertion cannot be signed".to_owned())
    }
}
