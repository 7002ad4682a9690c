//! SimpleJWT's endpoints, against what the real ones answered.

use serde_json::{Value, json};

use crate::support::{PASSWORD, Site, answer};

/// What the real endpoint answered; JWTs are left out, and fields that we add are allowed.
async fn check(request: &str, sent: reqwest::RequestBuilder) {
    let vectors: Value = serde_json::from_str(include_str!("../data/django_vectors.json")).unwrap();
    let vectors = vectors["simplejwt_http"].as_array().unwrap();
    let expected = vectors.iter().find(|vector| vector["request"] == request).unwrap();
    let response = sent.send().await.unwrap();
    assert_eq!(response.status().as_u16(), expected["status"], "{request}");
    let challenge = response.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(challenge.as_deref(), expected["www_authenticate"].as_str(), "{request}");
    let body: Value = response.json().await.unwrap();
    for (name, value) in expected["body"].as_object().unwrap() {
        if value == "<jwt>" {
            assert_eq!(body[name].as_str().unwrap().split('.').count(), 3, "{request}");
        } else {
            assert_eq!(body[name], *value, "{request}");
        }
    }
    if !response_is_success(expected) {
        assert!(body["code"].is_string() && body["detail"].is_string(), "{request}: {body}");
    }
}

fn response_is_success(expected: &Value) -> bool {
    expected["status"] == 200
}

#[tokio::test]
async fn the_token_endpoints_answer_as_simplejwt_does() {
    let site = Site::new(&[]).await;
    let id = site.user("rider").await;
    site.user("gone").await;
    let (access, refresh) = site.tokens("rider").await;
    let (_, refresh_of_gone) = site.tokens("gone").await;
    site.execute("UPDATE auth_user SET is_active = FALSE WHERE username = 'gone'", []).await;

    let obtain = |body: Value| site.post("/api/token/").json(&body);
    check("POST obtain, right credentials", obtain(json!({ "username": "rider", "password": PASSWORD }))).await;
    for (name, password) in [("rider", "wrong"), ("nobody", PASSWORD), ("gone", PASSWORD)] {
        let request = obtain(json!({ "username": name, "password": password }));
        check("POST obtain, wrong password, unknown or inactive user", request).await;
    }
    check("POST obtain, password missing", obtain(json!({ "username": "rider" }))).await;

    let exchange = |body: Value| site.post("/api/token/refresh/").json(&body);
    check("POST refresh, valid", exchange(json!({ "refresh": refresh }))).await;
    check("POST refresh with an access token", exchange(json!({ "refresh": access }))).await;
    check("POST refresh, garbage", exchange(json!({ "refresh": "gar.ba.ge" }))).await;
    check("POST refresh, user inactive", exchange(json!({ "refresh": refresh_of_gone }))).await;
    check("POST refresh, field missing", exchange(json!({}))).await;

    let verify = |token: &str| site.post("/api/token/verify").json(&json!({ "token": token }));
    check("POST verify, any valid token (access or refresh)", verify(&access)).await;
    check("POST verify, any valid token (access or refresh)", verify(&refresh)).await;
    check("POST verify, invalid", verify("gar.ba.ge")).await;

    let (_, refreshed) = answer(exchange(json!({ "refresh": refresh }))).await;
    let (status, me) = answer(site.get("/api/me").bearer_auth(refreshed["access"].as_str().unwrap())).await;
    assert_eq!((status, &me["id"]), (200, &json!(id)));
}

#[tokio::test]
async fn a_protected_view_answers_as_simplejwt_does() {
    let site = Site::new(&[("JWT_ACCESS_TOKEN_LIFETIME", "0.000001")]).await;
    site.user("rider").await;
    let none = "protected view, no Authorization header, or scheme other than exactly Bearer";
    check(none, site.get("/api/me")).await;
    check(none, site.get("/api/me").header("authorization", "bearer x")).await;
    let three = "protected view, three words in Authorization";
    check(three, site.get("/api/me").header("authorization", "Bearer x y")).await;
    let (expired, _) = site.tokens("rider").await;
    check("protected view, bad token", site.get("/api/me").bearer_auth(expired)).await;
}

#[tokio::test]
async fn the_name_field_is_the_one_of_the_user_model() {
    let site = Site::new(&[("AUTH_LOGIN_FIELD", "email")]).await;
    site.user("rider").await;
    site.execute("UPDATE auth_user SET email = 'rider@example.com'", []).await;
    let login = json!({ "email": "rider@example.com", "password": PASSWORD });
    assert_eq!(answer(site.post("/api/token").json(&login)).await.0, 200);
    let (status, body) = answer(site.post("/api/token").json(&json!({ "password": PASSWORD }))).await;
    assert_eq!((status, &body["email"]), (400, &json!(["This field is required."])));
}

#[tokio::test]
async fn too_many_logins_have_to_wait() {
    let site = Site::new(&[("LOGIN_RATE", "2")]).await;
    site.user("rider").await;
    let login = json!({ "username": "rider", "password": PASSWORD });
    assert_eq!(answer(site.post("/api/token").json(&login)).await.0, 200);
    assert_eq!(answer(site.post("/api/session").json(&login)).await.0, 200);
    let response = site.post("/api/token").json(&login).send().await.unwrap();
    assert_eq!(response.status(), 429);
    let seconds: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=31).contains(&seconds));
    assert_eq!(response.json::<Value>().await.unwrap()["code"], "rate_limited");
}
