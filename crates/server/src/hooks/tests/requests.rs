//! What goes to the back end, and how its answers are read.

use hmac::{Hmac, KeyInit, Mac};
use holodrive_protocol::socket::ErrorCode;
use serde_json::{Value, json};
use sha2::Sha256;

use super::*;
use crate::{
    accounts::signing::hex,
    hooks::{Access, Allowed, NoAnswer, Posted, Seat, questions},
};

#[tokio::test]
async fn a_request_is_as_the_protocol_says() {
    let django = Django::start().await;
    django.always("driver_orders", 200, json!({"orders": [], "more": 1}));
    let caller = Asker::of(&django, &[]);
    assert!(caller.ask().await.unwrap().orders.is_empty());
    let [asked] = django.asked("driver_orders").try_into().unwrap();
    let body = asked.json();
    let id = body["id"].as_str().unwrap();
    assert_eq!(asked.header("Idempotency-Key"), id);
    assert_eq!(asked.header("Content-Type"), "application/json");
    let expected = json!({
        "id": id, "hook": "driver_orders", "sent_at": "2027-01-01T00:00:00+00:00", "data": {"driver_id": 7},
    });
    assert_eq!(body, expected);
    let timestamp = asked.header("X-HoloDrive-Timestamp");
    assert_eq!(timestamp, "1798761600");
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(&[timestamp.as_bytes(), b".", &asked.body[..]].concat());
    let signature = format!("v1={}", hex(&mac.finalize().into_bytes()));
    assert_eq!(asked.header("X-HoloDrive-Signature"), signature);
    caller.counts("holodrive_hook_requests_total{hook=\"driver_orders\",outcome=\"done\"} 1");
    caller.counts("holodrive_hook_duration_seconds_count{hook=\"driver_orders\"} 1");
}

#[tokio::test]
async fn orders_pass_as_they_came() {
    let django = Django::start().await;
    let order = r#"{"z": 1.10, "id": 98765432109876543210, "a": [null]}"#;
    django.on("driver_orders", move |_, _| async move {
        axum::response::IntoResponse::into_response(format!(r#"{{"orders": [{order}]}}"#))
    });
    let shown = Asker::of(&django, &[]).ask().await.unwrap();
    assert_eq!(serde_json::to_string(&shown.orders).unwrap(), format!("[{order}]"));
}

#[tokio::test]
async fn a_refusal_is_final() {
    let django = Django::start().await;
    let asker = Asker::of(&django, &[]);
    for (status, code) in [(403, ErrorCode::Forbidden), (404, ErrorCode::NotFound), (400, ErrorCode::InvalidMessage)] {
        django.always("driver_orders", status, json!({"code": "any", "detail": "Because."}));
        let refused = Err(HookError::Refused { code, detail: "Because.".to_owned() });
        assert_eq!(asker.ask().await.map(drop), refused);
    }
    assert_eq!(django.asked("driver_orders").len(), 3);
    asker.counts("holodrive_hook_requests_total{hook=\"driver_orders\",outcome=\"refused\"} 3");
}

#[test]
fn an_answer_is_an_object_with_what_is_needed() {
    let read = |body: &Value| questions::read::<Posted>(body.to_string().as_bytes()).is_some();
    assert!(read(&json!({"message_id": 5, "client_id": "more"})));
    assert!(read(&json!({"message_id": 5, "created_at": "2027-01-01T00:00:00Z", "message": "other"})));
    for wrong in [json!({}), json!({"message_id": "5"}), json!({"message_id": 5, "created_at": "now"}), json!([5])] {
        assert!(!read(&wrong), "{wrong}");
    }
    assert!(questions::read::<NoAnswer>(b"").is_some());
    assert!(questions::read::<NoAnswer>(b" {} ").is_some());
    for wrong in [&b"[]"[..], b"null", b"<html>", b"{", b"\"\""] {
        assert!(questions::read::<NoAnswer>(wrong).is_none());
    }
    assert!(questions::read::<ShownOrders>(br#"{"orders": [1]}"#).is_none());
}

#[test]
fn each_seat_gets_an_answer() {
    let seats = [1, 2].map(|conversation_id| Seat { conversation_id, user_id: UserId::Int(1) }).to_vec();
    let access = Access { seats };
    let answered =
        |allowed: &[bool]| questions::Question::is_answered_by(&access, &Allowed { allowed: allowed.to_vec() });
    assert!(answered(&[true, false]));
    assert!(!answered(&[true]));
    assert!(!answered(&[true, true, true]));
}
