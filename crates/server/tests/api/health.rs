//! Health, metrics, and what every answer has.

use serde_json::json;

use crate::support::{Site, answer};

#[tokio::test]
async fn a_node_is_ready_until_it_goes_down() {
    let site = Site::new(&[]).await;
    assert_eq!(answer(site.get("/healthz")).await, (200, json!({ "status": "ok" })));
    let ready = json!({ "ready": true, "accepting": true, "database": true });
    assert_eq!(answer(site.get("/readyz/")).await, (200, ready));
    site.app.draining.begin();
    let going = json!({ "ready": false, "accepting": false, "database": true });
    assert_eq!(answer(site.get("/readyz")).await, (503, going));
}

#[tokio::test]
async fn a_database_that_cannot_be_written_makes_a_node_unready() {
    let site = Site::new(&[]).await;
    site.execute("DROP TABLE holodrive_migration", []).await;
    let (status, body) = answer(site.get("/readyz")).await;
    assert_eq!((status, &body["database"]), (503, &json!(false)));
}

#[tokio::test]
async fn requests_are_counted_by_the_pattern_of_their_route() {
    let site = Site::new(&[]).await;
    answer(site.get("/api/me/")).await;
    answer(site.get("/made/up/7")).await;
    let response = site.get("/metrics").send().await.unwrap();
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("application/openmetrics-text"));
    let text = response.text().await.unwrap();
    for line in [
        "holodrive_http_requests_total{method=\"GET\",route=\"/api/me\",status=\"401\"} 1",
        "holodrive_http_requests_total{method=\"GET\",route=\"other\",status=\"404\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("made/up"));
}

#[tokio::test]
async fn every_answer_has_the_security_headers() {
    let site = Site::new(&[]).await;
    for path in ["/healthz", "/nowhere", "/ws/nowhere", "/api/me"] {
        let response = site.get(path).send().await.unwrap();
        assert_eq!(response.headers()["referrer-policy"], "no-referrer", "{path}");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff", "{path}");
    }
}
