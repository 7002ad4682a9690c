//! Logging in and out with Django's session cookie.

use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

use crate::support::{PASSWORD, Site, answer, cookie};

struct Browser {
    session: String,
    csrf: String,
}

impl Browser {
    fn of(response: &Response) -> Self {
        Self { session: cookie(response, "sessionid").unwrap(), csrf: cookie(response, "csrftoken").unwrap() }
    }

    fn cookies(&self, request: RequestBuilder) -> RequestBuilder {
        request.header("cookie", format!("sessionid={}; csrftoken={}", self.session, self.csrf))
    }

    fn sends(&self, request: RequestBuilder) -> RequestBuilder {
        self.cookies(request).header("x-csrftoken", &self.csrf)
    }
}

async fn log_in(site: &Site) -> Response {
    let login = json!({ "username": "rider", "password": PASSWORD });
    site.post("/api/session/").json(&login).send().await.unwrap()
}

#[tokio::test]
async fn a_login_opens_a_session_and_a_logout_ends_it() {
    let site = Site::new(&[]).await;
    let id = site.user("rider").await;
    let response = log_in(&site).await;
    assert_eq!(response.status(), 200);
    let browser = Browser::of(&response);
    assert_eq!(response.json::<Value>().await.unwrap()["id"], id);

    let (status, me) = answer(browser.cookies(site.get("/api/me"))).await;
    let authority = site.address.to_string();
    let expected = json!({ "id": id, "username": "rider", "name": "rider", "groups": [], "is_staff": false,
                           "websocket_url": authority });
    assert_eq!((status, me), (200, expected));

    let response = browser.sends(site.delete("/api/session")).send().await.unwrap();
    assert_eq!((response.status().as_u16(), cookie(&response, "sessionid").as_deref()), (204, Some("")));
    assert_eq!(site.count("SELECT count(*) FROM django_session").await, 0);
    assert_eq!(answer(browser.cookies(site.get("/api/me"))).await.0, 401);
}

#[tokio::test]
async fn a_login_changes_the_key() {
    let site = Site::new(&[]).await;
    site.user("rider").await;
    let first = Browser::of(&log_in(&site).await);
    let login = json!({ "username": "rider", "password": PASSWORD });
    let second = Browser::of(&first.cookies(site.post("/api/session")).json(&login).send().await.unwrap());
    assert_ne!((&first.session, &first.csrf), (&second.session, &second.csrf));
    assert_eq!(answer(first.cookies(site.get("/api/me"))).await.0, 401);
    assert_eq!(answer(second.cookies(site.get("/api/me"))).await.0, 200);
}

#[tokio::test]
async fn a_cookie_alone_is_not_enough_for_unsafe_requests() {
    let site = Site::new(&[("ALLOWED_ORIGINS", "https://app.example.com")]).await;
    site.user("rider").await;
    let browser = Browser::of(&log_in(&site).await);
    let log_out = || site.delete("/api/session");
    let other_token = "x".repeat(32);
    for refused in [
        browser.cookies(log_out()),
        browser.cookies(log_out()).header("x-csrftoken", other_token),
        browser.sends(log_out()).header("origin", "https://evil.example"),
        browser.sends(log_out()).header("origin", "null"),
        log_out().header("cookie", format!("sessionid={}", browser.session)).header("x-csrftoken", &browser.csrf),
    ] {
        let (status, body) = answer(refused).await;
        assert_eq!((status, &body["code"]), (403, &json!("csrf_failed")));
    }
    let allowed = browser.sends(log_out()).header("origin", "https://app.example.com");
    assert_eq!(answer(allowed).await.0, 204);
}

#[tokio::test]
async fn a_foreign_page_cannot_log_somebody_in() {
    let site = Site::new(&[]).await;
    site.user("rider").await;
    let login = json!({ "username": "rider", "password": PASSWORD });
    let request = site.post("/api/session").header("origin", "https://evil.example").json(&login);
    let (status, body) = answer(request).await;
    assert_eq!((status, &body["code"]), (403, &json!("csrf_failed")));
    let same = site.post("/api/session").header("origin", site.url("")).json(&login);
    assert_eq!(answer(same).await.0, 200);
}

#[tokio::test]
async fn a_session_that_django_opened_gets_a_csrf_cookie() {
    let site = Site::new(&[]).await;
    site.user("rider").await;
    let browser = Browser::of(&log_in(&site).await);
    let with_session_only = site.get("/api/me").header("cookie", format!("sessionid={}", browser.session));
    assert_eq!(cookie(&with_session_only.send().await.unwrap(), "csrftoken").unwrap().len(), 32);
    let with_both = browser.cookies(site.get("/api/me")).send().await.unwrap();
    assert_eq!(cookie(&with_both, "csrftoken"), None);
}

#[tokio::test]
async fn a_token_has_no_session_to_end() {
    let site = Site::new(&[]).await;
    site.user("rider").await;
    let (access, _) = site.tokens("rider").await;
    assert_eq!(answer(site.delete("/api/session").bearer_auth(access)).await.0, 403);
}
