//! Keys that are fetched from a JWK set.

use std::sync::{Arc, Mutex};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use holodrive::accounts::jwt::{Jwt, JwtSettings, TokenError};
use holodrive_protocol::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, jwk::Jwk};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{NOW, forge, key_pair, later, shared};

/// A key server whose document can be changed, and that counts how often it was asked.
#[derive(Clone, Default)]
struct KeyServer(Arc<Mutex<(String, usize)>>);

impl KeyServer {
    fn publish(&self, document: &impl ToString) {
        self.0.lock().unwrap().0 = document.to_string();
    }

    fn asked(&self) -> usize {
        self.0.lock().unwrap().1
    }

    /// Answers until the test ends; returns the address.
    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        let server = self.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let _read = stream.read(&mut request).await.unwrap();
                stream.write_all(server.answer().as_bytes()).await.unwrap();
            }
        });
        url
    }

    fn answer(&self) -> String {
        let mut state = self.0.lock().unwrap();
        state.1 += 1;
        let (body, length) = (&state.0, state.0.len());
        format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
    }
}

/// A signing key with an id, as the identity provider holds it.
struct Issuer {
    key: EncodingKey,
    id: &'static str,
}

impl Issuer {
    fn new(id: &'static str) -> Self {
        let (private, _) = key_pair(Algorithm::ES256);
        Self { key: EncodingKey::from_ec_pem(private.as_bytes()).unwrap(), id }
    }

    fn jwk(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.key, Algorithm::ES256).unwrap();
        jwk.common.key_id = Some(self.id.into());
        serde_json::to_value(jwk).unwrap()
    }

    fn token(&self) -> String {
        let header = json!({"alg": "ES256", "kid": self.id}).to_string();
        let claims = json!({"token_type": "access", "exp": 1_795_400_000, "jti": "j", "user_id": "5"}).to_string();
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &self.key, Algorithm::ES256).unwrap();
        format!("{signed}.{signature}")
    }
}

async fn with_key_server() -> (KeyServer, Jwt) {
    let server = KeyServer::default();
    let url = server.start().await;
    let settings = JwtSettings { algorithm: Algorithm::ES256, jwk_url: Some(url), ..shared() };
    (server, Jwt::new(settings).unwrap())
}

async fn verdict(jwt: &Jwt, token: &str, now: Timestamp) -> Result<String, TokenError> {
    jwt.prepare(token, now).await;
    jwt.verify_access(token, now).map(|claims| claims.user_id)
}

#[tokio::test]
async fn fetched_keys_verify_and_a_new_one_is_fetched_after_the_cool_down() {
    let (server, jwt) = with_key_server().await;
    let (old, new) = (Issuer::new("old"), Issuer::new("new"));
    server.publish(&json!({"keys": [old.jwk()]}));
    assert_eq!(jwt.verify_access(&old.token(), NOW).err(), Some(TokenError::Invalid), "nothing is fetched yet");
    for _ in 0..3 {
        assert_eq!(verdict(&jwt, &old.token(), NOW).await, Ok("5".into()));
    }
    assert_eq!(server.asked(), 1);

    server.publish(&json!({"keys": [new.jwk()]}));
    assert_eq!(verdict(&jwt, &new.token(), later(29)).await, Err(TokenError::Invalid));
    assert_eq!(server.asked(), 1, "an unknown key id does not make us ask at will");
    assert_eq!(verdict(&jwt, &new.token(), later(30)).await, Ok("5".into()));
    assert_eq!(verdict(&jwt, &old.token(), later(31)).await, Err(TokenError::Invalid), "withdrawn");
    assert_eq!(server.asked(), 2);
}

#[tokio::test]
async fn a_withdrawn_key_stops_counting_after_five_minutes() {
    let (server, jwt) = with_key_server().await;
    let issuer = Issuer::new("key");
    server.publish(&json!({"keys": [issuer.jwk()]}));
    assert!(verdict(&jwt, &issuer.token(), NOW).await.is_ok());
    server.publish(&json!({"keys": []}));
    assert!(verdict(&jwt, &issuer.token(), later(299)).await.is_ok());
    assert_eq!(verdict(&jwt, &issuer.token(), later(300)).await, Err(TokenError::Invalid));
}

#[tokio::test]
async fn a_broken_answer_leaves_the_last_keys_standing() {
    let (server, jwt) = with_key_server().await;
    let issuer = Issuer::new("key");
    server.publish(&json!({"keys": [{"kty": "unknown", "kid": "key"}, {"kty": "RSA", "kid": "r", "n": "AQAB", "e": "AQAB"}, issuer.jwk()]}));
    assert!(verdict(&jwt, &issuer.token(), NOW).await.is_ok(), "keys of other kinds do not spoil the set");
    let huge = format!(r#"{{"keys":[],"padding":"{}"}}"#, "x".repeat(1024 * 1024));
    for (minutes, broken) in [(5, "not JSON"), (10, "[]"), (15, &huge)] {
        server.publish(&broken);
        assert!(verdict(&jwt, &issuer.token(), later(minutes * 60)).await.is_ok());
    }
    assert_eq!(server.asked(), 4);
}

#[tokio::test]
async fn a_token_without_a_key_id_is_refused_without_asking() {
    let (server, jwt) = with_key_server().await;
    let token = forge(&json!({"alg": "ES256"}), &json!({}));
    assert_eq!(verdict(&jwt, &token, NOW).await, Err(TokenError::Invalid));
    let confused = forge(&json!({"alg": "HS256", "kid": "key"}), &json!({}));
    assert_eq!(verdict(&jwt, &confused, NOW).await, Err(TokenError::Invalid));
    assert_eq!(server.asked(), 1, "only for the key id");
}
