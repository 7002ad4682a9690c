//! `Idempotency-Key`.

use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::support::{API_KEY, Site, answer, things};

const THINGS: &str = "SELECT count(*) FROM thing";

async fn site() -> Site {
    Site::with_routes(&[], things()).await
}

fn add(site: &Site, key: &str, body: &Value) -> RequestBuilder {
    let authorization = format!("Api-Key {API_KEY}");
    site.post("/api/things/").header("authorization", authorization).header("idempotency-key", key).json(body)
}

async fn replayed(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["idempotency-replayed"], "true");
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn the_same_request_gets_the_first_answer_again() {
    let site = site().await;
    let body = json!({ "title": "a" });
    let first = add(&site, "k", &body).send().await.unwrap();
    assert!(!first.headers().contains_key("idempotency-replayed"));
    assert_eq!(first.status(), 201);
    assert_eq!(replayed(add(&site, "k", &body)).await, (201, first.json().await.unwrap()));
    assert_eq!(answer(add(&site, "other", &body)).await, (201, json!({ "id": 2 })));
    assert_eq!(site.count(THINGS).await, 2);
}

#[tokio::test]
async fn another_request_under_the_same_key_is_a_conflict() {
    let site = site().await;
    answer(add(&site, "k", &json!({ "title": "a" }))).await;
    let (status, body) = answer(add(&site, "k", &json!({ "title": "b" }))).await;
    assert_eq!((status, &body["code"]), (409, &json!("idempotency_conflict")));
    assert_eq!(site.count(THINGS).await, 1);
}

#[tokio::test]
async fn a_key_belongs_to_whoever_used_it() {
    let site = site().await;
    site.user("rider").await;
    let (access, _) = site.tokens("rider").await;
    let body = json!({ "title": "a" });
    let by_user = || site.post("/api/things").bearer_auth(&access).header("idempotency-key", "k").json(&body);
    assert_eq!(answer(add(&site, "k", &body)).await.1["id"], 1);
    assert_eq!(answer(by_user()).await.1["id"], 2);
    assert_eq!(replayed(by_user()).await.1["id"], 2);
}

#[tokio::test]
async fn a_refusal_is_undone_and_remembered() {
    let site = site().await;
    let body = json!({ "title": "a", "outcome": "conflict" });
    let (status, first) = answer(add(&site, "k", &body)).await;
    assert_eq!((status, &first["code"]), (409, &json!("taken")));
    assert_eq!(replayed(add(&site, "k", &body)).await, (409, first));
    answer(add(&site, "other", &json!({ "title": "kept" }))).await;
    assert_eq!(site.count(THINGS).await, 1);
}

#[tokio::test]
async fn a_failure_is_not_remembered() {
    let site = site().await;
    let body = json!({ "title": "a", "outcome": "unavailable" });
    for _ in 0..2 {
        let response = add(&site, "k", &body).send().await.unwrap();
        assert_eq!(response.status(), 503);
        assert!(!response.headers().contains_key("idempotency-replayed"));
    }
    assert_eq!(site.count("SELECT count(*) FROM holodrive_idempotency").await, 0);
}

#[tokio::test]
async fn the_same_request_many_times_at_once_has_one_effect() {
    let site = site().await;
    let body = json!({ "title": "a" });
    let answers = futures_util::future::join_all((0..20).map(|_| answer(add(&site, "k", &body)))).await;
    assert!(answers.iter().all(|answer| *answer == (201, json!({ "id": 1 }))));
    assert_eq!(site.count(THINGS).await, 1);
}

#[tokio::test]
async fn answers_are_forgotten_after_a_day() {
    let site = site().await;
    let body = json!({ "title": "a" });
    for key in ["k", "l", "m"] {
        answer(add(&site, key, &body)).await;
    }
    let day = 24 * 60 * 60 * 1_000_000_i64;
    site.execute("UPDATE holodrive_idempotency SET created_at = created_at - $1", [day.into()]).await;
    assert_eq!(answer(add(&site, "k", &json!({ "title": "b" }))).await, (201, json!({ "id": 4 })));
    assert_eq!(site.count("SELECT count(*) FROM holodrive_idempotency").await, 1, "old answers are thrown away");
}

#[tokio::test]
async fn a_key_must_be_visible_ascii() {
    let site = site().await;
    let longest = "x".repeat(255);
    assert_eq!(answer(add(&site, &longest, &json!({ "title": "a" }))).await.0, 201);
    for bad in ["", "a b", "é", &"x".repeat(256)] {
        let (status, body) = answer(add(&site, bad, &json!({ "title": "a" }))).await;
        assert_eq!((status, &body["code"]), (400, &json!("invalid_idempotency_key")), "{bad}");
    }
}
