//! Who a request comes from.

use serde_json::json;

use crate::support::{API_KEY, Site, answer, things};

#[tokio::test]
async fn a_back_end_shows_its_key() {
    let site = Site::with_routes(&[], things()).await;
    let key = |key: &str| format!("Api-Key {key}");
    let add = |authorization: String| {
        site.post("/api/things").header("authorization", authorization).json(&json!({ "title": "x" }))
    };
    assert_eq!(answer(add(key(API_KEY))).await.0, 201);
    for wrong in ["", "wrong", &API_KEY[1..], &format!("{API_KEY}x")] {
        assert_eq!(answer(add(key(wrong))).await.0, 401, "{wrong}");
    }
    let (status, body) = answer(site.get("/api/me").header("authorization", key(API_KEY))).await;
    assert_eq!((status, &body["code"]), (403, &json!("forbidden")));
}

#[tokio::test]
async fn a_bad_token_never_falls_back_to_a_cookie() {
    let site = Site::new(&[]).await;
    site.user("rider").await;
    let login = json!({ "username": "rider", "password": crate::support::PASSWORD });
    let response = site.post("/api/session").json(&login).send().await.unwrap();
    let cookie = format!("sessionid={}", crate::support::cookie(&response, "sessionid").unwrap());
    assert_eq!(answer(site.get("/api/me").header("cookie", &cookie)).await.0, 200);
    let (status, body) = answer(site.get("/api/me").header("cookie", &cookie).bearer_auth("bad")).await;
    assert_eq!((status, &body["messages"][0]["message"]), (401, &json!("Token is invalid")));
}
