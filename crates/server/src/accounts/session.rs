//! Sessions of Django's database backend: reading, judging and writing rows of `django_session`.

use std::{
    io::{Read, Write},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use holodrive_protocol::{Timestamp, UserId};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    random,
    signing::{self, SecretKeys, constant_time_eq, hex, salted_hmac},
};

/// The backend that Django names in a session unless a project configures others.
pub const MODEL_BACKEND: &str = "django.contrib.auth.backends.ModelBackend";

const SESSION_SALT: &str = "django.contrib.sessions.SessionStore";
const AUTH_HASH_SALT: &str = "django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash";
const KEY_ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
const KEY_LENGTH: usize = 32;
const MAX_INFLATED_BYTES: u64 = 1024 * 1024;

/// What decides whether a session is believed.
#[derive(Debug, Clone)]
pub struct SessionSettings {
    /// Django's `SECRET_KEY` and `SECRET_KEY_FALLBACKS`.
    pub keys: SecretKeys,
    /// Django's `SESSION_COOKIE_NAME`.
    pub cookie_name: String,
    /// Django's `SESSION_COOKIE_AGE`: how long a login lasts.
    pub cookie_age: Duration,
    /// Django's `AUTHENTICATION_BACKENDS`: a session that any other one opened is anonymous.
    pub authentication_backends: Vec<String>,
}

impl SessionSettings {
    /// Django's defaults under these keys.
    pub fn new(keys: SecretKeys) -> Self {
        Self {
            keys,
            cookie_name: "sessionid".into(),
            cookie_age: Duration::from_hours(14 * 24),
            authentication_backends: vec![MODEL_BACKEND.into()],
        }
    }

    /// The backend that stands for a login by password: Django's own, or the first where that is not configured.
    fn login_backend(&self) -> &str {
        let mut backends = self.authentication_backends.iter().map(String::as_str);
        let first = backends.next().unwrap_or(MODEL_BACKEND);
        backends.find(|backend| *backend == MODEL_BACKEND).unwrap_or(first)
    }
}

/// A row of `django_session`.
#[derive(Clone)]
pub struct SessionRow {
    /// The key that the cookie carries.
    pub session_key: String,
    /// Signed, perhaps compressed JSON.
    pub session_data: String,
    /// The session is over at this moment.
    pub expire_date: Timestamp,
}

/// What a valid row claims. It holds only once [`SessionClaim::holds_for`] has seen the user.
#[derive(Clone)]
pub struct SessionClaim {
    /// Who is logged in.
    pub user_id: UserId,
    /// When the session ends.
    pub expires_at: Timestamp,
    auth_hash: String,
}

/// The three values of a logged-in session, in the order in which Django writes them.
#[derive(Serialize, Deserialize)]
struct LoginData {
    #[serde(rename = "_auth_user_id", serialize_with = "as_text")]
    user_id: UserId,
    #[serde(rename = "_auth_user_backend")]
    backend: String,
    #[serde(rename = "_auth_user_hash")]
    auth_hash: String,
}

/// Whether a cookie value can be the key of a row at all.
pub fn is_plausible_key(key: &str) -> bool {
    (8..=40).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Reads a row; none where it is expired, forged, anonymous, or opened by a backend that is not configured.
pub fn read(row: &SessionRow, now: Timestamp, settings: &SessionSettings) -> Option<SessionClaim> {
    if row.expire_date <= now {
        return None;
    }
    let login: LoginData = decode(&row.session_data, &settings.keys)?;
    let known = settings.authentication_backends.contains(&login.backend);
    known.then_some(SessionClaim { user_id: login.user_id, expires_at: row.expire_date, auth_hash: login.auth_hash })
}

impl SessionClaim {
    /// Whether the claim holds for its user: active, and with the password that he logged in with.
    /// `stored_password` is the whole password column.
    pub fn holds_for(&self, stored_password: &str, is_active: bool, keys: &SecretKeys) -> bool {
        let matches = |secret| constant_time_eq(&self.auth_hash, &auth_hash(stored_password, secret));
        is_active && keys.iter().any(matches)
    }
}

/// A new login session of this user, as Django would save it at `now`.
pub fn open(user_id: UserId, stored_password: &str, now: Timestamp, settings: &SessionSettings) -> SessionRow {
    let login = LoginData {
        user_id,
        backend: settings.login_backend().to_owned(),
        auth_hash: auth_hash(stored_password, &settings.keys.current),
    };
    let lifetime = i64::try_from(settings.cookie_age.as_micros()).unwrap_or(i64::MAX);
    SessionRow {
        session_key: random::text(KEY_LENGTH, KEY_ALPHABET),
        session_data: encode(&login, now, &settings.keys),
        expire_date: Timestamp(now.0.saturating_add(lifetime)),
    }
}

/// `get_session_auth_hash()`: ties a session to the stored password, so that changing it ends the session.
pub fn auth_hash(stored_password: &str, secret: &str) -> String {
    hex(&salted_hmac(AUTH_HASH_SALT, stored_password, secret))
}

/// The content of `session_data`; none where the signature, the compression or the JSON is bad.
pub fn decode<T: DeserializeOwned>(session_data: &str, keys: &SecretKeys) -> Option<T> {
    let (value, _signed_at) = signing::unsign(SESSION_SALT, session_data, keys)?;
    let json = match value.strip_prefix('.') {
        Some(compressed) => inflate(&URL_SAFE_NO_PAD.decode(compressed).ok()?)?,
        None => URL_SAFE_NO_PAD.decode(value).ok()?,
    };
    serde_json::from_slice(&json).ok()
}

fn encode(login: &LoginData, now: Timestamp, keys: &SecretKeys) -> String {
    let json = serde_json::to_vec(login).unwrap_or_default();
    let value = match deflate(&json) {
        Some(compressed) if compressed.len() + 1 < json.len() => {
            format!(".{}", URL_SAFE_NO_PAD.encode(compressed))
        }
        _ => URL_SAFE_NO_PAD.encode(json),
    };
    signing::sign(SESSION_SALT, &value, now.0 / 1_000_000, &keys.current)
}

fn inflate(compressed: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    let mut decoder = ZlibDecoder::new(compressed).take(MAX_INFLATED_BYTES + 1);
    let read = decoder.read_to_end(&mut plain).ok()?;
    (read as u64 <= MAX_INFLATED_BYTES).then_some(plain)
}

fn deflate(plain: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).ok()?;
    encoder.finish().ok()
}

fn as_text<S: serde::Serializer>(id: &UserId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_760_000_000_000_000);

    fn settings() -> SessionSettings {
        SessionSettings::new(SecretKeys { current: "new".into(), fallbacks: vec!["old".into()] })
    }

    #[test]
    fn an_opened_session_is_believed_until_it_expires() {
        let settings = settings();
        let row = open(UserId::Int(5), "pbkdf2_sha256$…", NOW, &settings);
        let claim = read(&row, NOW, &settings).unwrap();
        assert_eq!(claim.user_id, UserId::Int(5));
        assert!(claim.holds_for("pbkdf2_sha256$…", true, &settings.keys));
        assert!(!claim.holds_for("pbkdf2_sha256$…", false, &settings.keys));
        assert!(!claim.holds_for("changed", true, &settings.keys));
        assert!(read(&row, row.expire_date, &settings).is_none());
        assert!(row.session_data.starts_with('.'), "compressed, as Django saves it");
    }

    #[test]
    fn keys_are_as_djangos_and_never_the_same() {
        let (one, two) = (open(UserId::Int(5), "", NOW, &settings()), open(UserId::Int(5), "", NOW, &settings()));
        assert_ne!(one.session_key, two.session_key);
        assert_eq!(one.session_key.len(), KEY_LENGTH);
        assert!(one.session_key.bytes().all(|byte| KEY_ALPHABET.contains(&byte)));
        assert!(is_plausible_key(&one.session_key) && !is_plausible_key("short12"));
        assert!(!is_plausible_key("no database\0 holds that"));
    }

    #[test]
    fn a_compression_bomb_is_refused() {
        let keys = settings().keys;
        let json = |length: usize| format!("\"{}\"", "x".repeat(length - 2));
        let sign = |json: &str| {
            let value = format!(".{}", URL_SAFE_NO_PAD.encode(deflate(json.as_bytes()).unwrap()));
            signing::sign(SESSION_SALT, &value, 0, "new")
        };
        let limit = usize::try_from(MAX_INFLATED_BYTES).unwrap();
        assert!(decode::<String>(&sign(&json(limit)), &keys).is_some());
        assert!(decode::<String>(&sign(&json(limit + 1)), &keys).is_none());
    }
}
