//! Tokens that this server issues, under every kind of key, and keys that it fetches.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod jwks;

use aws_lc_rs::{
    encoding::AsDer,
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
        Ed25519KeyPair, KeyPair,
    },
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use holodrive::accounts::jwt::{IssueError, Jwt, JwtSettings, KeyError, TokenClass, TokenError};
use holodrive_protocol::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp(1_795_312_000_000_000);
const SECRET: &str = "a secret of tests, long enough for every HMAC there is: 0123456789 0123456789";

fn later(seconds: i64) -> Timestamp {
    Timestamp(NOW.0 + seconds * 1_000_000)
}

fn shared() -> JwtSettings {
    JwtSettings::new(SECRET.into())
}

fn part(token: &str, index: usize) -> String {
    let part = token.split('.').nth(index).unwrap();
    String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn claims(token: &str) -> Value {
    serde_json::from_str(&part(token, 1)).unwrap()
}

/// A token with any claims, signed with the shared secret.
fn forge(header: &Value, claims: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(header), encode(claims));
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{signed}.{signature}")
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

/// A private and a public key in PEM.
fn key_pair(algorithm: Algorithm) -> (String, String) {
    let (private, public) = match algorithm {
        Algorithm::EdDSA => {
            let pair = Ed25519KeyPair::generate().unwrap();
            let private = pair.to_pkcs8v1().unwrap().as_ref().to_vec();
            (private, pair.public_key().as_der().unwrap().as_ref().to_vec())
        }
        Algorithm::ES256 => ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING),
        Algorithm::ES384 => ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING),
        _ => {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
            (pair.as_der().unwrap().as_ref().to_vec(), pair.public_key().as_der().unwrap().as_ref().to_vec())
        }
    };
    (pem("PRIVATE KEY", &private), pem("PUBLIC KEY", &public))
}

fn ecdsa(algorithm: &'static EcdsaSigningAlgorithm) -> (Vec<u8>, Vec<u8>) {
    let pair = EcdsaKeyPair::generate(algorithm).unwrap();
    let private = pair.to_pkcs8v1().unwrap().as_ref().to_vec();
    (private, pair.public_key().as_der().unwrap().as_ref().to_vec())
}

#[test]
fn a_pair_has_simplejwts_header_and_claims_in_its_order() {
    let pair = Jwt::new(shared()).unwrap().issue_pair("5", "pbkdf2…", NOW).unwrap();
    for (token, token_type, lifetime) in [(&pair.refresh, "refresh", 86_400), (&pair.access, "access", 300)] {
        assert_eq!(part(token, 0), r#"{"alg":"HS256","typ":"JWT"}"#);
        let jti = claims(token)["jti"].as_str().unwrap().to_owned();
        assert!(jti.len() == 32 && jti.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let (iat, exp) = (1_795_312_000, 1_795_312_000 + lifetime);
        let expected =
            format!(r#"{{"token_type":"{token_type}","exp":{exp},"iat":{iat},"jti":"{jti}","user_id":"5"}}"#);
        assert_eq!(part(token, 1), expected);
    }
    assert_ne!(claims(&pair.refresh)["jti"], claims(&pair.access)["jti"]);
}

#[test]
fn audience_issuer_and_password_hash_are_added_as_set() {
    let settings = JwtSettings {
        audience: vec!["web".into(), "driver-app".into()],
        issuer: Some("https://drive.example".into()),
        check_revoke_token: true,
        user_id_claim: "sub".into(),
        ..shared()
    };
    let jwt = Jwt::new(settings).unwrap();
    let pair = jwt.issue_pair("driver5", "pw", NOW).unwrap();
    let access = jwt.verify_access(&pair.access, NOW).unwrap();
    assert_eq!(access.user_id, "driver5");
    assert_eq!(jwt.check_user(access.password_hash.as_deref(), true, "pw"), Ok(()));
    assert!(jwt.check_user(access.password_hash.as_deref(), true, "other").is_err());
    assert_eq!(claims(&pair.access)["aud"], json!(["web", "driver-app"]));
    assert_eq!(claims(&pair.access)["iss"], "https://drive.example");
    let refreshed = jwt.refresh_access(&jwt.verify_refresh(&pair.refresh, NOW).unwrap(), NOW).unwrap();
    assert!(jwt.verify_access(&refreshed, NOW).is_ok());
    assert_eq!(claims(&refreshed)["aud"], json!(["web", "driver-app"]), "once, not twice");
}

#[test]
fn an_access_token_inherits_what_a_project_put_into_its_refresh_token() {
    let jwt = Jwt::new(shared()).unwrap();
    let header = json!({"alg": "HS256", "typ": "JWT"});
    let refresh = forge(
        &header,
        &json!({"token_type": "refresh", "exp": 1_795_400_000, "iat": 1, "jti": "old", "user_id": 5, "role": "driver"}),
    );
    let access = jwt.refresh_access(&jwt.verify_refresh(&refresh, NOW).unwrap(), later(7)).unwrap();
    let claims = claims(&access);
    assert_eq!((&claims["role"], &claims["user_id"]), (&json!("driver"), &json!(5)));
    assert_eq!((&claims["iat"], &claims["exp"]), (&json!(1_795_312_007), &json!(1_795_312_307)));
    assert_eq!(claims["token_type"], "access");
    assert_ne!(claims["jti"], "old");
}

#[test]
fn every_algorithm_signs_what_it_verifies_and_no_other_key_does() {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    let rsa = (key_pair(RS256), key_pair(RS256));
    for algorithm in [RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA] {
        let (ours, other) = match algorithm {
            ES256 | ES384 | EdDSA => (key_pair(algorithm), key_pair(algorithm)),
            _ => rsa.clone(),
        };
        let settings = |(signing_key, verifying_key): (String, String)| JwtSettings {
            algorithm,
            signing_key,
            verifying_key: Some(verifying_key),
            ..shared()
        };
        let jwt = Jwt::new(settings(ours)).unwrap();
        let pair = jwt.issue_pair("5", "", NOW).unwrap();
        assert_eq!(jwt.verify_access(&pair.access, NOW).unwrap().user_id, "5", "{algorithm:?}");
        let stranger = Jwt::new(settings(other)).unwrap();
        assert_eq!(stranger.verify_access(&pair.access, NOW).err(), Some(TokenError::Invalid), "{algorithm:?}");
    }
}

#[test]
fn keys_that_cannot_work_are_told_at_the_start() {
    let rs256 = || JwtSettings { algorithm: Algorithm::RS256, ..shared() };
    let (_, public) = key_pair(Algorithm::RS256);
    assert_eq!(Jwt::new(JwtSettings::new(String::new())).err(), Some(KeyError::NoSecret));
    assert_eq!(Jwt::new(rs256()).err(), Some(KeyError::NoVerifyingKey("RS256".into())));
    let bad = JwtSettings { verifying_key: Some("not PEM".into()), ..rs256() };
    assert_eq!(Jwt::new(bad).err(), Some(KeyError::BadVerifyingKey("RS256".into())));
    let bad = JwtSettings { jwk_url: Some("file:///etc/passwd".into()), ..rs256() };
    assert!(matches!(Jwt::new(bad), Err(KeyError::BadJwkUrl(_))));
    let verifier = Jwt::new(JwtSettings { verifying_key: Some(public), ..rs256() }).unwrap();
    assert_eq!(verifier.issue_pair("5", "", NOW).err(), Some(IssueError::NoSigningKey));
}

#[test]
fn odd_claims_are_refused_as_django_would_or_stricter() {
    let jwt = Jwt::new(shared()).unwrap();
    let header = json!({"alg": "HS256", "typ": "JWT"});
    let base = json!({"token_type": "access", "exp": 1_795_400_000, "jti": "j", "user_id": "5"});
    let with = |name: &str, value: Value| {
        let mut claims = base.clone();
        claims[name] = value;
        jwt.verify_access(&forge(&header, &claims), NOW).map(|claims| claims.user_id)
    };
    assert_eq!(with("user_id", json!("5")), Ok("5".into()));
    assert_eq!(with("exp", json!(1_795_312_000.9)), Err(TokenError::Expired), "fractions are cut off");
    for (name, value, error) in [
        ("exp", json!("1795400000"), TokenError::Invalid),
        ("exp", json!(1e300), TokenError::Invalid),
        ("exp", json!(u64::MAX), TokenError::Invalid),
        ("exp", Value::Null, TokenError::Invalid),
        ("iat", json!(1_795_312_001), TokenError::Invalid),
        ("nbf", json!(true), TokenError::Invalid),
        ("jti", Value::Null, TokenError::Invalid),
        ("sub", json!([]), TokenError::Invalid),
        ("user_id", json!(5.5), TokenError::NoUser),
        ("user_id", json!({}), TokenError::NoUser),
        ("token_type", json!(["access"]), TokenError::WrongType),
    ] {
        assert_eq!(with(name, value.clone()), Err(error), "{name} {value}");
    }
}

#[test]
fn odd_headers_and_texts_are_refused() {
    let jwt = Jwt::new(shared()).unwrap();
    let good = json!({"token_type": "access", "exp": 1_795_400_000, "jti": "j", "user_id": "5"});
    for header in [json!({"alg": "hs256"}), json!({"alg": ["HS256"]}), json!({"alg": "HS256", "kid": 5}), json!([])] {
        assert_eq!(jwt.verify_access(&forge(&header, &good), NOW).err(), Some(TokenError::Invalid), "{header}");
    }
    let token = forge(&json!({"alg": "HS256"}), &good);
    let huge = forge(&json!({"alg": "HS256"}), &json!({"x": "x".repeat(20_000)}));
    for text in
        ["", ".", "..", "a.b.c", "é.é.é", &token[..token.len() - 1], &format!("{token}="), &format!("{token}.x"), &huge]
    {
        assert_eq!(jwt.verify_access(text, NOW).err(), Some(TokenError::Invalid), "{text}");
    }
    assert!(jwt.verify_access(&token, NOW).is_ok());
}

#[test]
fn several_token_classes_may_be_accepted() {
    let both = JwtSettings { auth_token_classes: vec![TokenClass::Access, TokenClass::Sliding], ..shared() };
    let jwt = Jwt::new(both).unwrap();
    for (token_type, accepted) in [("access", true), ("sliding", true), ("refresh", false)] {
        let claims = json!({"token_type": token_type, "exp": 1_795_400_000, "jti": "j", "user_id": "5"});
        let verdict = jwt.verify_access(&forge(&json!({"alg": "HS256"}), &claims), NOW);
        assert_eq!(verdict.is_ok(), accepted, "{token_type}");
    }
}
