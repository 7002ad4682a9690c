//! Calls against a real HTTP server that refuses on command.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use axum::{Json, Router, extract::Request, http::StatusCode, response::IntoResponse};
use holodrive_client::{Api, ApiBuilder, Error, PageOf};
use holodrive_protocol::{UserId, http::CreateNotification};
use serde_json::{Value, json};

/// What a request said: method and target, credential, idempotency key.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    call: String,
    authorization: Option<String>,
    key: Option<String>,
}

#[derive(Clone, Default)]
struct Server {
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Answers one request after another as told.
    async fn start(answers: impl IntoIterator<Item = (u16, Value)>) -> (Self, ApiBuilder) {
        let server = Self::default();
        let seen = Arc::clone(&server.seen);
        let answers = Arc::new(Mutex::new(answers.into_iter().collect::<VecDeque<_>>()));
        let router = Router::new().fallback(move |request: Request| {
            let header = |name| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            let call = format!("{} {}", request.method(), request.uri());
            seen.lock().unwrap().push(Seen {
                call,
                authorization: header("authorization"),
                key: header("idempotency-key"),
            });
            let (status, body) = answers.lock().unwrap().pop_front().expect("one request too many");
            async move { (StatusCode::from_u16(status).unwrap(), Json(body)).into_response() }
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (server, Api::builder(base))
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    fn calls(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.call).collect()
    }
}

fn refusal(status: u16, code: &str) -> (u16, Value) {
    (status, json!({"detail": "no", "code": code}))
}

fn me() -> (u16, Value) {
    let me = json!({"id": 1, "username": "u", "name": "U", "groups": [], "is_staff": false, "websocket_url": "h"});
    (200, me)
}

fn tokens(access: &str) -> (u16, Value) {
    (200, json!({"access": access, "refresh": "r"}))
}

#[tokio::test]
async fn a_call_is_repeated_with_its_key() {
    let (server, api) =
        Server::start([refusal(503, "unavailable"), refusal(503, "unavailable"), (201, json!({"ids": [1]}))]).await;
    let api = api.api_key("k").build().unwrap();
    let note = CreateNotification { user_id: Some(UserId::Int(1)), ..CreateNotification::default() };
    assert_eq!(api.notify(&note).await.unwrap().ids, [1]);
    let seen = server.seen();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|request| request == &seen[0]), "{seen:?}");
    assert_eq!(seen[0].authorization.as_deref(), Some("Api-Key k"));
    assert!(seen[0].key.is_some());
}

#[tokio::test]
async fn two_calls_have_two_keys_and_reading_has_none() {
    let done = (200, json!({"updated": 0}));
    let (server, api) = Server::start([done.clone(), done, me()]).await;
    let api = api.token("t").build().unwrap();
    api.read_all_notifications().await.unwrap();
    api.read_all_notifications().await.unwrap();
    api.me().await.unwrap();
    let keys: Vec<_> = server.seen().into_iter().map(|seen| seen.key).collect();
    assert!(keys[0].is_some() && keys[1].is_some() && keys[0] != keys[1] && keys[2].is_none(), "{keys:?}");
}

#[tokio::test]
async fn retries_end_and_refusals_are_final() {
    let (server, api) =
        Server::start([refusal(503, "unavailable"), refusal(503, "unavailable"), refusal(409, "invalid_transition")])
            .await;
    let api = api.token("t").retries(1).build().unwrap();
    assert_eq!(api.arrive(1).await.unwrap_err().status(), Some(503));
    assert_eq!(api.arrive(1).await.unwrap_err().code(), Some("invalid_transition"));
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn nobody_at_home_is_a_temporary_error() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let api = Api::builder(format!("http://127.0.0.1:{port}")).token("t").retries(1).build().unwrap();
    let error = api.me().await.unwrap_err();
    assert!(matches!(error, Error::Transport(_)) && error.is_temporary(), "{error}");
}

#[tokio::test]
async fn a_login_refreshes_and_logs_in_again() {
    let unauthorized = || refusal(401, "token_not_valid");
    let refreshed = (200, json!({"access": "a2"}));
    let answers = [tokens("a1"), unauthorized(), refreshed, me(), unauthorized(), unauthorized(), tokens("a3"), me()];
    let (server, api) = Server::start(answers).await;
    let api = api.login("u", "p").build().unwrap();
    api.me().await.unwrap();
    api.me().await.unwrap();
    let (login, refresh, me) = ("POST /api/token/", "POST /api/token/refresh/", "GET /api/me/");
    assert_eq!(server.calls(), [login, me, refresh, me, me, refresh, login, me]);
    let bearers: Vec<_> = server.seen().into_iter().filter_map(|seen| seen.authorization).collect();
    assert_eq!(bearers, ["Bearer a1", "Bearer a2", "Bearer a2", "Bearer a3"]);
}

#[tokio::test]
async fn errors_tell_what_the_server_said_and_no_secret() {
    let fields = json!({"detail": "bad", "code": "invalid", "errors": {"title": ["too long"]}});
    let (_server, api) = Server::start([(400, fields), (502, json!("a proxy's page")), (200, json!({}))]).await;
    let api = api.token("s3cret").build().unwrap();
    let Error::Refused { status: 400, body } = api.me().await.unwrap_err() else { panic!("not refused") };
    assert_eq!(body.errors["title"], ["too long"]);
    assert_eq!(api.me().await.unwrap_err().status(), Some(502));
    let error = api.me().await.unwrap_err();
    assert!(matches!(&error, Error::Unexpected { call, .. } if call == "GET /api/me/"), "{error}");
    assert!(!format!("{api:?} {error:?} {error}").contains("s3cret"));
}

#[tokio::test]
async fn pages_are_asked_for() {
    let page = (200, json!({"results": [], "next": null}));
    let (server, api) = Server::start([page.clone(), page]).await;
    let api = api.token("t").build().unwrap();
    api.unread_notifications(&PageOf { cursor: Some("a b".to_owned()), limit: Some(5) }).await.unwrap();
    api.messages_before(4, 9).await.unwrap();
    assert_eq!(
        server.calls(),
        ["GET /api/notifications/?status=unread&cursor=a+b&limit=5", "GET /api/conversations/4/messages/?before=9"]
    );
}

#[test]
fn an_address_that_cannot_be_used_is_named() {
    for base in ["", "localhost:9000", "ftp://example.com", "http://"] {
        let error = Api::builder(base).build().unwrap_err();
        assert!(error.to_string().starts_with(&format!("{base}: ")), "{error}");
    }
}
