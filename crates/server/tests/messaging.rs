//! Conversations and notifications over HTTP, on a running server.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use holodrive::{config::Config, server::Server};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

const API_KEY: &str = "key-of-a-back-end";

const USERS: [&str; 3] = [
    "INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined)
     SELECT '!', FALSE, name, '', '', '', name = 'sam', TRUE, '2026-01-01 00:00:00'
     FROM (SELECT 'ann' AS name UNION ALL SELECT 'bob' UNION ALL SELECT 'eve' UNION ALL SELECT 'sam') AS names",
    "INSERT INTO auth_group (name) VALUES ('Driver')",
    "INSERT INTO auth_user_groups (user_id, group_id)
     SELECT u.id, g.id FROM auth_user u, auth_group g WHERE u.username = 'bob'",
];

/// A running server with a rider, a driver, a stranger and staff; all by their login names.
struct Site {
    server: Server,
    http: reqwest::Client,
    _folder: TempDir,
}

/// Who asks.
#[derive(Clone, Copy)]
enum As<'n> {
    User(&'n str),
    Backend,
}

impl Site {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::for_tests(folder.path(), &[("API_KEYS", API_KEY)]).unwrap();
        let server = Server::start(config).await.unwrap();
        for sql in USERS {
            server.app().storage.write(|tx| tx.execute(sql, &[])).await.unwrap();
        }
        Self { server, http: reqwest::Client::new(), _folder: folder }
    }

    async fn id(&self, name: &str) -> Value {
        let account = self.server.app().accounts.account_by_name(name).await.unwrap().unwrap();
        json!(account.user().id)
    }

    async fn authorization(&self, who: As<'_>) -> String {
        let As::User(name) = who else { return format!("Api-Key {API_KEY}") };
        let accounts = &self.server.app().accounts;
        let account = accounts.account_by_name(name).await.unwrap().unwrap();
        format!("Bearer {}", accounts.token_pair(&account).unwrap().access)
    }

    async fn call(&self, who: As<'_>, method: Method, path: &str, body: Value) -> (StatusCode, Value) {
        let url = format!("http://{}{path}", self.server.address());
        let request = self.http.request(method.clone(), url).header("Authorization", self.authorization(who).await);
        let request = if method == Method::GET { request } else { request.json(&body) };
        let response = request.send().await.unwrap();
        let status = response.status();
        (status, response.json().await.unwrap())
    }

    async fn get(&self, who: As<'_>, path: &str) -> (StatusCode, Value) {
        self.call(who, Method::GET, path, Value::Null).await
    }

    async fn post(&self, who: As<'_>, path: &str, body: Value) -> (StatusCode, Value) {
        self.call(who, Method::POST, path, body).await
    }

    /// What must be there.
    async fn found(&self, who: As<'_>, path: &str) -> Value {
        let (status, body) = self.get(who, path).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body
    }
}

const ANN: As<'static> = As::User("ann");
const BOB: As<'static> = As::User("bob");
const EVE: As<'static> = As::User("eve");
const SAM: As<'static> = As::User("sam");

/// The values of a field of all results.
fn all(page: &Value, field: &str) -> Vec<Value> {
    page["results"].as_array().unwrap().iter().map(|entry| entry[field].clone()).collect()
}

#[tokio::test]
async fn a_support_conversation_is_opened_once_and_seen_by_its_user_and_staff() {
    let site = Site::start().await;
    let (status, first) = site.post(ANN, "/api/conversations", json!({"kind": "support"})).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!((&first["kind"], &first["participant_ids"]), (&json!("support"), &json!([site.id("ann").await])));
    let (status, again) = site.post(ANN, "/api/conversations", json!({"kind": "support"})).await;
    assert_eq!((status, &again), (StatusCode::OK, &first));
    for (who, expected) in [(ANN, vec![first["id"].clone()]), (SAM, vec![first["id"].clone()]), (EVE, vec![])] {
        assert_eq!(all(&site.found(who, "/api/conversations").await, "id"), expected);
    }
}

#[tokio::test]
async fn participants_are_brought_together_by_staff_and_back_ends_alone() {
    let site = Site::start().await;
    let body = json!({"participant_ids": [site.id("ann").await, site.id("bob").await]});
    for who in [SAM, As::Backend] {
        let (status, conversation) = site.post(who, "/api/conversations", body.clone()).await;
        assert_eq!((status, &conversation["kind"]), (StatusCode::CREATED, &json!("direct")));
        assert_eq!(conversation["participant_ids"], body["participant_ids"]);
    }
    assert_eq!(site.post(ANN, "/api/conversations", body).await.0, StatusCode::FORBIDDEN);
    assert_eq!(site.post(As::Backend, "/api/conversations", json!({"kind": "support"})).await.0, StatusCode::FORBIDDEN);
    for (body, field) in [
        (json!({"participant_ids": [999_999]}), "participant_ids"),
        (json!({"participant_ids": []}), "participant_ids"),
        (json!({}), "kind"),
        (json!({"kind": "order"}), "kind"),
        (json!({"kind": "support", "participant_ids": [1]}), "kind"),
    ] {
        let (status, answer) = site.post(SAM, "/api/conversations", body.clone()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert!(answer["errors"][field].is_array(), "{body} {answer}");
    }
}

#[tokio::test]
async fn members_write_and_read_messages_and_others_find_nothing() {
    let site = Site::start().await;
    let body = json!({"participant_ids": [site.id("ann").await, site.id("bob").await]});
    let conversation = site.post(SAM, "/api/conversations", body).await.1;
    let path = format!("/api/conversations/{}/messages", conversation["id"]);
    let message = json!({"message": "Hello", "client_id": "a-1"});
    let (status, first) = site.post(ANN, &path, message.clone()).await;
    assert_eq!(status, StatusCode::CREATED, "{first}");
    assert_eq!((&first["message"], &first["sender_id"]), (&json!("Hello"), &site.id("ann").await));
    assert_eq!((&first["conversation_id"], first.get("type")), (&conversation["id"], None));
    assert_eq!(site.post(ANN, &path, message.clone()).await, (StatusCode::OK, first.clone()));
    assert_eq!(site.found(BOB, &path).await, json!({"results": [first], "next": null}));
    for path in [path.as_str(), "/api/conversations/999/messages", "/api/conversations/x/messages"] {
        assert_eq!(site.get(EVE, path).await.0, StatusCode::NOT_FOUND);
        assert_eq!(site.post(EVE, path, message.clone()).await.0, StatusCode::NOT_FOUND);
    }
    for body in [json!({}), json!({"message": ""}), json!({"message": "x".repeat(4_001)})] {
        let (status, answer) = site.post(ANN, &path, body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(answer["errors"]["message"].is_array(), "{answer}");
    }
}

#[tokio::test]
async fn messages_come_newest_first_in_pages_and_between_ids() {
    let site = Site::start().await;
    let conversation = site.post(ANN, "/api/conversations", json!({"kind": "support"})).await.1;
    let path = format!("/api/conversations/{}/messages", conversation["id"]);
    let mut ids = Vec::new();
    for number in 0..5 {
        let (_, message) = site.post(ANN, &path, json!({"message": format!("Number {number}")})).await;
        ids.insert(0, message["message_id"].clone());
    }
    let page = site.found(SAM, &format!("{path}?limit=2")).await;
    assert_eq!(all(&page, "message_id"), ids[..2]);
    let next = page["next"].as_str().unwrap();
    let page = site.found(SAM, &format!("{path}?limit=3&cursor={next}")).await;
    assert_eq!((all(&page, "message_id"), &page["next"]), (ids[2..].to_vec(), &Value::Null));
    let between = site.found(SAM, &format!("{path}?after={}&before={}", ids[4], ids[1])).await;
    assert_eq!(all(&between, "message_id"), ids[2..4]);
    for query in ["limit=0", "limit=201", "before=x", "cursor=x"] {
        assert_eq!(site.get(SAM, &format!("{path}?{query}")).await.0, StatusCode::BAD_REQUEST, "{query}");
    }
}

/// A notification without the fields that say who is told.
fn note(target: &Value) -> Value {
    let mut note = json!({
        "title": "Maintenance", "message": "Tonight at two", "notification_type": "system", "related_object_type": "order",
        "related_object_id": 7, "data": {"window": [2, 3]},
    });
    note.as_object_mut().unwrap().extend(target.as_object().unwrap().clone());
    note
}

#[tokio::test]
async fn one_user_several_or_a_group_are_notified_by_staff_and_back_ends() {
    let site = Site::start().await;
    let (ann, bob) = (site.id("ann").await, site.id("bob").await);
    for (who, target, recipients) in [
        (SAM, json!({"user_id": ann}), vec![ANN]),
        (As::Backend, json!({"user_ids": [bob, ann]}), vec![BOB, ANN]),
        (As::Backend, json!({"group": "Driver"}), vec![BOB]),
    ] {
        let (status, created) = site.post(who, "/api/notifications", note(&target)).await;
        assert_eq!(status, StatusCode::CREATED, "{created}");
        let mut ids = Vec::new();
        for recipient in recipients {
            let newest = site.found(recipient, "/api/notifications?limit=1").await["results"][0].clone();
            assert_eq!((&newest["title"], &newest["data"]), (&json!("Maintenance"), &json!({"window": [2, 3]})));
            ids.push(newest["id"].clone());
        }
        assert_eq!(created, json!({"ids": ids}));
    }
    assert_eq!(site.post(ANN, "/api/notifications", note(&json!({"user_id": ann}))).await.0, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn what_is_wrong_with_a_notification_is_said_and_nothing_is_stored() {
    let site = Site::start().await;
    let ann = site.id("ann").await;
    for (body, field) in [
        (note(&json!({})), "user_id"),
        (note(&json!({"user_id": ann, "group": "Driver"})), "user_id"),
        (note(&json!({"user_id": 999_999})), "user_id"),
        (note(&json!({"user_ids": [ann, 999_999]})), "user_ids"),
        (note(&json!({"user_ids": []})), "user_ids"),
        (note(&json!({"group": "Nobody"})), "group"),
        (json!({"user_id": ann}), "title"),
        (note(&json!({"user_id": ann, "data": [1]})), "data"),
        (note(&json!({"user_id": ann, "data": {"long": "x".repeat(20_000)}})), "data"),
    ] {
        let (status, answer) = site.post(SAM, "/api/notifications", body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(answer["errors"][field].is_array(), "{field} {answer}");
    }
    assert_eq!(site.found(ANN, "/api/notifications").await, json!({"results": [], "next": null}));
}

#[tokio::test]
async fn notifications_are_listed_and_read_by_their_user() {
    let site = Site::start().await;
    let ann = site.id("ann").await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        let (_, created) = site.post(SAM, "/api/notifications", note(&json!({"user_id": ann}))).await;
        ids.insert(0, created["ids"][0].clone());
    }
    let path = format!("/api/notifications/{}/read", ids[1]);
    assert_eq!(site.post(EVE, &path, json!({})).await.0, StatusCode::NOT_FOUND);
    for _ in 0..2 {
        let (status, read) = site.post(ANN, &path, json!({})).await;
        assert_eq!((status, &read["id"], &read["status"]), (StatusCode::OK, &ids[1], &json!("read")));
    }
    let unread = vec![ids[0].clone(), ids[2].clone(), ids[3].clone()];
    assert_eq!(all(&site.found(ANN, "/api/notifications?status=unread").await, "id"), unread);
    assert_eq!(all(&site.found(ANN, "/api/notifications?status=read").await, "id"), [ids[1].clone()]);
    let page = site.found(ANN, "/api/notifications?limit=3").await;
    assert_eq!(all(&page, "id"), ids[..3]);
    let rest = site.found(ANN, &format!("/api/notifications?cursor={}", page["next"].as_str().unwrap())).await;
    assert_eq!((all(&rest, "id"), &rest["next"]), (ids[3..].to_vec(), &Value::Null));
    assert_eq!(site.get(ANN, "/api/notifications?status=old").await.0, StatusCode::BAD_REQUEST);
    for updated in [3, 0] {
        let answer = site.post(ANN, "/api/notifications/read-all", json!({})).await;
        assert_eq!(answer, (StatusCode::OK, json!({"updated": updated})));
    }
    assert_eq!(site.found(EVE, "/api/notifications").await, json!({"results": [], "next": null}));
}
