//! Verdicts of the real Django, SimpleJWT and Channels, replayed: `data/django_vectors.json` says how each was made.
//!
//! Not replayed: `signed_cookie_sessions` and `cache_session_pickles` (session stores that this server does not
//! read), `channel_layer` and `simplejwt_http` (they belong to other modules).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::{sync::LazyLock, time::Duration};

use holodrive::accounts::{
    cookies,
    jwt::{Jwt, JwtSettings},
    origins::AllowedOrigins,
    password,
    session::{self, SessionRow, SessionSettings},
    signing::{self, SecretKeys},
};
use holodrive::storage::datetime;
use holodrive_protocol::{Timestamp, UserId};
use serde_json::{Map, Value};

static VECTORS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("data/django_vectors.json")).unwrap());

/// A moment for vectors that hold at any time between 2026 and 2099.
const ANY_TIME: &str = "2027-01-01T00:00:00+00:00";

fn vectors(path: &str) -> &'static [Value] {
    VECTORS.pointer(path).unwrap().as_array().unwrap()
}

/// Runs every vector of a set; a wrong verdict names its vector, and the count shows that none was left out.
fn replay(path: &str, expected_count: usize, check: impl Fn(&Value)) {
    let set = vectors(path);
    set.iter().for_each(check);
    println!("{path}: {} vectors", set.len());
    assert_eq!(set.len(), expected_count, "{path}");
}

fn text<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector[name].as_str().unwrap_or_else(|| panic!("{name} in {vector}"))
}

fn setting(name: &str) -> &'static str {
    text(&VECTORS["settings"], name)
}

fn keys() -> SecretKeys {
    let fallbacks = vectors("/settings/SECRET_KEY_FALLBACKS");
    SecretKeys {
        current: setting("SECRET_KEY").into(),
        fallbacks: fallbacks.iter().map(|key| key.as_str().unwrap().into()).collect(),
    }
}

/// The user whose column `field` holds `value`.
fn user_by(field: &str, value: &str) -> Option<&'static Value> {
    let column = |user: &Value| user[field].as_str().map_or_else(|| user[field].to_string(), str::to_owned);
    vectors("/users").iter().find(|user| column(user) == value)
}

#[test]
fn salted_hmac() {
    replay("/salted_hmac", 5, |vector| {
        let mac = signing::salted_hmac(text(vector, "key_salt"), text(vector, "value"), text(vector, "secret"));
        assert_eq!(signing::hex(&mac), text(vector, "hmac_hex"), "{vector}");
    });
}

#[test]
fn base62() {
    replay("/base62", 8, |vector| {
        let number = vector["int"].as_i64().unwrap();
        assert_eq!(signing::base62_encode(number), text(vector, "text"));
        assert_eq!(signing::base62_decode(text(vector, "text")), Some(number));
    });
}

#[test]
fn auth_hashes() {
    replay("/users", 10, |user| {
        let hash = |secret: &str| session::auth_hash(text(user, "password"), secret);
        assert_eq!(hash(&keys().current), text(user, "session_auth_hash"), "{user}");
        assert_eq!(hash(&keys().fallbacks[0]), text(user, "session_auth_hash_fallback"), "{user}");
    });
}

#[test]
fn passwords() {
    replay("/passwords", 26, |vector| {
        let verdict = password::verify_password(text(vector, "password"), vector["encoded"].as_str());
        assert_eq!(Value::Bool(verdict), vector["expect"], "{vector}");
    });
}

#[test]
fn sessions() {
    replay("/sessions", 34, |vector| {
        let user_id = session_user(vector).map_or(Value::Null, |id| serde_json::to_value(id).unwrap());
        assert_eq!(user_id, vector["expect"]["user_id"], "{vector}");
        check_payload(vector);
    });
}

/// The user that the vector's cookie stands for, by the steps of a handshake.
fn session_user(vector: &Value) -> Option<UserId> {
    let settings = SessionSettings {
        authentication_backends: vectors("/settings/AUTHENTICATION_BACKENDS")
            .iter()
            .map(|backend| backend.as_str().unwrap().into())
            .collect(),
        ..SessionSettings::new(keys())
    };
    let row = SessionRow {
        session_key: text(&vector["row"], "session_key").into(),
        session_data: text(&vector["row"], "session_data").into(),
        expire_date: datetime::from_sqlite(text(&vector["row"], "expire_date_sqlite")).unwrap(),
    };
    let now = vector["now"].as_str().unwrap_or(ANY_TIME).parse().unwrap();
    let cookie = text(vector, "cookie");
    let found = session::is_plausible_key(cookie) && cookie == row.session_key;
    let claim = found.then(|| session::read(&row, now, &settings)).flatten()?;
    let user = user_by("id", &claim.user_id.to_string())?;
    let is_active = user["is_active"].as_bool().unwrap();
    claim.holds_for(text(user, "password"), is_active, &settings.keys).then_some(claim.user_id)
}

fn check_payload(vector: &Value) {
    if let Some(expected) = vector.get("payload") {
        let data = text(&vector["row"], "session_data");
        let payload = session::decode::<Value>(data, &keys()).unwrap_or_default();
        let wrong_salt = text(vector, "name").starts_with("wrong_salt");
        assert_eq!(&payload, if wrong_salt { &Value::Null } else { expected }, "{vector}");
    }
}

#[test]
fn tokens() {
    let profiles = VECTORS["jwt"]["profiles"].as_object().unwrap();
    assert_eq!(profiles.len(), 12);
    replay("/jwt/vectors", 46, |vector| {
        let jwt = profile(profiles[text(vector, "profile")].as_object().unwrap());
        let verdict = token_user(&jwt, vector);
        let user_id = verdict.as_ref().map_or(Value::Null, |id| id.parse().unwrap());
        let stricter = vector["strictness"] == "either" && user_id.is_null();
        assert!(stricter || user_id == vector["expect"]["user_id"], "{vector}: {verdict:?}");
        if let Some(message) = vector.pointer("/django/body/messages/0/message") {
            assert_eq!(Value::String(verdict.unwrap_err()), *message, "{vector}");
        }
    });
}

/// The settings of a profile, named as in Django's `SIMPLE_JWT`.
fn profile(profile: &Map<String, Value>) -> Jwt {
    let mut settings = JwtSettings::new(setting("SECRET_KEY").into());
    for (name, value) in profile {
        let text = || value.as_str().unwrap().to_owned();
        match name.as_str() {
            "ALGORITHM" => settings.algorithm = text().parse().unwrap(),
            "AUDIENCE" => settings.audience = one_or_many(value),
            "ISSUER" => settings.issuer = Some(text()),
            "LEEWAY" => settings.leeway = Duration::from_secs(value.as_u64().unwrap()),
            "CHECK_REVOKE_TOKEN" => settings.check_revoke_token = value.as_bool().unwrap(),
            "CHECK_USER_IS_ACTIVE" => settings.check_user_is_active = value.as_bool().unwrap(),
            "VERIFYING_KEY" => settings.verifying_key = Some(text()),
            "SIGNING_KEY" => settings.signing_key = text(),
            "USER_ID_CLAIM" => settings.user_id_claim = text(),
            "USER_ID_FIELD" => settings.user_id_field = text(),
            "AUTH_TOKEN_CLASSES" => {
                let classes = one_or_many(value);
                settings.auth_token_classes = classes.iter().map(|class| class.parse().unwrap()).collect();
            }
            other => panic!("unknown setting {other}"),
        }
    }
    Jwt::new(settings).unwrap()
}

fn one_or_many(value: &Value) -> Vec<String> {
    match value {
        Value::Array(many) => many.iter().map(|one| one.as_str().unwrap().into()).collect(),
        one => vec![one.as_str().unwrap().into()],
    }
}

/// The id of the user that a protected view would see, or why there is none.
fn token_user(jwt: &Jwt, vector: &Value) -> Result<String, String> {
    let now = vector["now"].as_i64().map_or_else(|| ANY_TIME.parse().unwrap(), |at| Timestamp(at * 1_000_000));
    let claims = jwt.verify_access(text(vector, "token"), now).map_err(|error| error.to_string())?;
    let user = user_by(&jwt.settings().user_id_field, &claims.user_id).ok_or("User not found")?;
    jwt.check_user(claims.password_hash.as_deref(), user["is_active"].as_bool().unwrap(), text(user, "password"))
        .map_err(|refusal| refusal.to_string())?;
    Ok(user["id"].to_string())
}

#[test]
fn session_cookies() {
    replay("/cookies", 14, |vector| {
        let found = cookies::find(text(vector, "header"), setting("SESSION_COOKIE_NAME"));
        assert_eq!(found.as_deref(), vector["sessionid"].as_str(), "{vector}");
    });
}

#[test]
fn allowed_origins() {
    replay("/origins", 96, |vector| {
        let patterns = vector["allowed"].as_array().unwrap().iter().map(|one| one.as_str().unwrap());
        let allowed = AllowedOrigins::parse(patterns).unwrap();
        let verdict = allowed.allows(vector["origin"].as_str(), None);
        assert_eq!(Value::Bool(verdict), vector["expect"], "{vector}");
    });
}

#[test]
fn datetimes() {
    replay("/datetimes", 5, |vector| {
        let at: Timestamp = text(vector, "utc").parse().unwrap();
        assert_eq!(at.to_string(), text(vector, "isoformat"));
        assert_eq!(datetime::to_sqlite(at), text(vector, "sqlite"));
        assert_eq!(datetime::from_sqlite(text(vector, "sqlite")), Some(at));
        for other_form in ["drf_utc", "drf_tokyo"] {
            assert_eq!(text(vector, other_form).parse(), Ok(at), "{vector}");
        }
    });
}
