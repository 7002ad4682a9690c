//! Requests that nobody should send.

use std::sync::Arc;

use axum::{Router, routing::get};
use holodrive::{api::MAX_BODY_BYTES, app::App};
use serde_json::{Value, json};

use crate::support::{API_KEY, Site, answer, things};

#[tokio::test]
async fn what_does_not_exist_says_so_in_json() {
    let site = Site::new(&[]).await;
    for path in ["/nowhere", "/api/nowhere/", "/ws/nowhere/", "/__echo_not", "/api//me", "/api/me//"] {
        let (status, body) = answer(site.get(path)).await;
        assert_eq!((status, &body["code"]), (404, &json!("not_found")), "{path}");
    }
    let response = site.delete("/api/token/").send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["allow"].to_str().unwrap()), (405, "POST"));
    assert_eq!(response.json::<Value>().await.unwrap()["code"], "method_not_allowed");
}

#[tokio::test]
async fn bad_bodies_are_refused_each_with_its_reason() {
    let site = Site::with_routes(&[], things()).await;
    let authorization = format!("Api-Key {API_KEY}");
    let send = |media_type: &'static str, body: Vec<u8>| {
        let request = site.post("/api/things").header("authorization", &authorization);
        answer(request.header("content-type", media_type).body(body))
    };
    let json = "application/json";
    let deep = |open: &str| format!("{{\"title\":{}", open.repeat(100_000)).into_bytes();
    let cases: [(&str, Vec<u8>, u16, &str); 14] = [
        (json, b"{".to_vec(), 400, "invalid_json"),
        (json, b"{\"title\":\"a\"} x".to_vec(), 400, "invalid_json"),
        (json, b"{\"title\":\"\xff\"}".to_vec(), 400, "invalid_json"),
        (json, b"{\"title\":\"\\ud800\"}".to_vec(), 400, "invalid_json"),
        (json, b"{\"title\":1e999}".to_vec(), 400, "invalid_json"),
        (json, deep("["), 400, "invalid_json"),
        (json, deep("{\"a\":"), 400, "invalid_json"),
        (json, b"[]".to_vec(), 400, "invalid"),
        (json, b"5".to_vec(), 400, "invalid"),
        (json, b"{}".to_vec(), 400, "invalid"),
        (json, b"".to_vec(), 400, "invalid"),
        (json, vec![b' '; MAX_BODY_BYTES + 1], 413, "too_large"),
        ("text/plain", b"{\"title\":\"a\"}".to_vec(), 415, "unsupported_media_type"),
        ("application/x-www-form-urlencoded", b"title=a".to_vec(), 415, "unsupported_media_type"),
    ];
    for (media_type, body, status, code) in cases {
        let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        let (found, answer) = send(media_type, body).await;
        assert_eq!((found, &answer["code"]), (status, &json!(code)), "{shown}");
    }
    let good = br#"{"title":"a","unknown":[]}"#.to_vec();
    assert_eq!(send("application/json; charset=utf-8", good).await.0, 201);
}

#[tokio::test]
async fn a_stranger_is_told_so_before_his_body_is_read() {
    let site = Site::with_routes(&[], things()).await;
    let (status, body) = answer(site.post("/api/things").body("{")).await;
    assert_eq!((status, &body["code"]), (401, &json!("not_authenticated")));
}

#[tokio::test]
async fn too_many_or_too_long_headers_get_431() {
    let site = Site::new(&[]).await;
    let many = "x: 1\r\n".repeat(101);
    let long = format!("x: {}\r\n", "x".repeat(70_000));
    for headers in [many, long] {
        let answer = site.raw(format!("GET /healthz HTTP/1.1\r\nhost: a\r\n{headers}\r\n").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
}

#[tokio::test]
async fn odd_request_lines_do_not_disturb_the_server() {
    let site = Site::new(&[("HANDSHAKE_TIMEOUT", "0.5")]).await;
    for line in [
        "CONNECT a.example:443 HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "GET http://a.example/api/me/ HTTP/1.1",
        "GET //evil.example/ HTTP/1.1",
        "GET /%00%ff%2e%2e/ HTTP/1.1",
        "BREW /api/me HTTP/1.1",
        "GET /healthz HTTP/1.0",
    ] {
        let answer = site.raw(format!("{line}\r\nhost: a\r\nconnection: close\r\n\r\n").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1."), "{line}: {answer}");
        assert!(!answer.contains(" 500 "), "{line}: {answer}");
    }
    for garbage in [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b"\r\n\r\n\r\nx", b"GET / HTTP/9.9\r\n\r\n"] {
        let answer = site.raw(garbage).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    assert_eq!(answer(site.get("/healthz")).await.0, 200);
}

#[tokio::test]
async fn a_request_that_makes_the_server_panic_hurts_only_itself() {
    async fn panics() {
        panic!("on purpose");
    }
    let routes: Router<Arc<App>> = Router::new().route("/api/panics", get(panics));
    let site = Site::with_routes(&[], routes).await;
    let (status, body) = answer(site.get("/api/panics")).await;
    assert_eq!((status, &body["code"]), (500, &json!("internal")));
    assert_eq!(answer(site.get("/healthz")).await.0, 200);
}

#[tokio::test]
async fn half_a_request_is_not_waited_for_for_ever() {
    let site = Site::with_routes(&[("HANDSHAKE_TIMEOUT", "0.2")], things()).await;
    for half in ["", "GET /api/me HTTP/1.1\r\nhost: a\r\n"] {
        let answer = site.raw(half.as_bytes()).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
    let head = format!("POST /api/things HTTP/1.1\r\nhost: a\r\nauthorization: Api-Key {API_KEY}\r\n");
    let answer =
        site.raw(format!("{head}content-type: application/json\r\ncontent-length: 50\r\n\r\n{{").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}
