//! A back end that is slow, down, or talks rubbish.

use std::{net::TcpListener, time::Duration};

use axum::{
    http::header,
    response::{IntoResponse, Redirect},
};
use serde_json::json;

use super::*;
use crate::hooks::{
    Finding, Hooks, MarkAsRead, probe,
    signature::Signer,
    testing::{Asked, reply},
};

const ONE_ATTEMPT: [(&str, &str); 1] = [("HOOKS_RETRIES", "0")];

#[tokio::test]
async fn a_failure_is_tried_again_with_the_same_id_and_body() {
    let django = Django::start().await;
    let answers = [(500, json!({})), (200, json!([])), (200, json!({"orders": []}))];
    django.on("driver_orders", move |_, before| {
        let (status, body) = answers[before].clone();
        async move { reply(status, &body) }
    });
    let caller = Asker::of(&django, &[]);
    caller.ask().await.unwrap();
    let asked = django.asked("driver_orders");
    assert_eq!(asked.len(), 3);
    let same = |one: &Asked| one.body == asked[0].body && one.header("Idempotency-Key") == asked[0].json()["id"];
    assert!(asked.iter().all(same));
    caller.counts("holodrive_hook_requests_total{hook=\"driver_orders\",outcome=\"done\"} 1");
}

#[tokio::test]
async fn the_attempts_are_used_up() {
    let django = Django::start().await;
    let asker = Asker::of(&django, &[("HOOKS_RETRIES", "1")]);
    for status in [401, 408, 425, 429, 503] {
        django.always("driver_orders", status, json!({"orders": []}));
        let before = django.asked("driver_orders").len();
        // Failures in a row would open the breaker.
        asker.unavailable().await;
        assert_eq!(django.asked("driver_orders").len(), before + 2, "{status}");
        django.always("driver_orders", 200, json!({"orders": []}));
        asker.ask().await.unwrap();
    }
}

#[tokio::test]
async fn rubbish_is_no_answer() {
    let django = Django::start().await;
    let huge = format!("{{\"orders\": [], \"more\": \"{}\"}}", "x".repeat(1 << 20));
    for body in ["<html>", "", "[]", "{\"orders\": {}}", "{\"orders\": [7]}", &huge] {
        let body = body.to_owned();
        django.on("driver_orders", move |_, _| {
            let body = body.clone();
            async move { body.into_response() }
        });
        Asker::of(&django, &ONE_ATTEMPT).unavailable().await;
    }
    assert_eq!(django.asked("driver_orders").len(), 6);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let django = Django::start().await;
    django.on("driver_orders", |_, _| async { Redirect::temporary("/hooks/elsewhere/").into_response() });
    Asker::of(&django, &ONE_ATTEMPT).unavailable().await;
    assert!(django.asked("elsewhere").is_empty());
}

#[tokio::test]
async fn nobody_waits_for_long_for_who_does_not_answer() {
    let django = Django::start().await;
    django.on("driver_orders", |_, _| std::future::pending());
    Asker::of(&django, &[("HOOKS_TIMEOUT", "0.1"), ("HOOKS_RETRIES", "0")]).unavailable().await;
    assert_eq!(django.asked("driver_orders").len(), 1);
}

#[tokio::test]
async fn an_answer_that_never_ends_is_none() {
    let django = Django::start().await;
    django.on("driver_orders", |_, _| async {
        let unfinished = futures_util::stream::once(async { Ok::<_, std::io::Error>("{\"orders\": ") });
        let stream = futures_util::StreamExt::chain(unfinished, futures_util::stream::pending());
        ([(header::CONTENT_TYPE, "application/json")], axum::body::Body::from_stream(stream)).into_response()
    });
    Asker::of(&django, &[("HOOKS_TIMEOUT", "0.1"), ("HOOKS_RETRIES", "0")]).unavailable().await;
}

#[tokio::test]
async fn the_breaker_opens_and_closes_again() {
    let django = Django::start().await;
    django.always("driver_orders", 500, json!({}));
    let asker = Asker::of(&django, &ONE_ATTEMPT);
    asker.counts("holodrive_hook_breaker{hook=\"driver_orders\"} 0");
    for _ in 0..7 {
        asker.unavailable().await;
    }
    assert_eq!(django.asked("driver_orders").len(), 5);
    asker.counts("holodrive_hook_breaker{hook=\"driver_orders\"} 2");
    asker.counts("holodrive_hook_requests_total{hook=\"driver_orders\",outcome=\"failed\"} 5");
    asker.counts("holodrive_hook_requests_total{hook=\"driver_orders\",outcome=\"not_asked\"} 2");
    asker.clock.advance(Duration::from_secs(5));
    asker.unavailable().await;
    asker.unavailable().await;
    assert_eq!(django.asked("driver_orders").len(), 6, "one has tried");
    django.always("driver_orders", 200, json!({"orders": []}));
    asker.unavailable().await;
    asker.clock.advance(Duration::from_secs(5));
    asker.ask().await.unwrap();
    asker.counts("holodrive_hook_breaker{hook=\"driver_orders\"} 0");
    asker.ask().await.unwrap();
}

#[tokio::test]
async fn while_one_tries_the_others_do_not_wait() {
    let django = Django::start().await;
    django.always("driver_orders", 500, json!({}));
    let asker = Arc::new(Asker::of(&django, &ONE_ATTEMPT));
    for _ in 0..5 {
        asker.unavailable().await;
    }
    asker.clock.advance(Duration::from_secs(5));
    let gate = Arc::new(tokio::sync::Notify::new());
    let opened = Arc::clone(&gate);
    django.on("driver_orders", move |_, _| {
        let gate = Arc::clone(&opened);
        async move {
            gate.notified().await;
            reply(200, &json!({"orders": []}))
        }
    });
    let trying = Arc::clone(&asker);
    let trying = tokio::spawn(async move { trying.ask().await.map(drop) });
    django.wait_for("driver_orders", 6).await;
    asker.counts("holodrive_hook_breaker{hook=\"driver_orders\"} 1");
    asker.unavailable().await;
    gate.notify_one();
    assert_eq!(trying.await.unwrap(), Ok(()));
}

#[tokio::test]
async fn what_was_begun_is_finished_though_nobody_waits() {
    let django = Django::start().await;
    django.on("driver_orders", |_, before| async move {
        reply(if before == 0 { 500 } else { 200 }, &json!({"orders": []}))
    });
    let asker = Asker::of(&django, &[]);
    {
        let asking = asker.ask();
        tokio::pin!(asking);
        assert!(futures_util::poll!(&mut asking).is_pending());
    }
    django.wait_for("driver_orders", 2).await;
}

#[tokio::test]
async fn who_tries_again_himself_asks_by_one_attempt() {
    let django = Django::start().await;
    django.always("driver_orders", 500, json!({}));
    let asker = Asker::of(&django, &[("HOOKS_RETRIES", "2")]);
    let question = DriverOrders { driver_id: UserId::Int(7) };
    assert_eq!(asker.hook.ask_once(question).await.map(drop), Err(HookError::Unavailable));
    assert_eq!(django.asked("driver_orders").len(), 1);
}

#[tokio::test]
async fn and_nothing_goes_on_when_he_waits_no_more() {
    let django = Django::start().await;
    let (under_way, mut ended) = tokio::sync::watch::channel(());
    let under_way = std::sync::Mutex::new(Some(under_way));
    django.on("driver_orders", move |_, _| {
        let under_way = under_way.lock().unwrap().take();
        async move {
            let () = std::future::pending().await;
            drop(under_way);
            reply(200, &json!({}))
        }
    });
    let asker = Asker::of(&django, &[("HOOKS_TIMEOUT", "600")]);
    let asking = asker.hook.ask_once(DriverOrders { driver_id: UserId::Int(7) });
    django.wait_for("driver_orders", 1).await;
    drop(asking);
    let ended = tokio::time::timeout(Duration::from_secs(20), ended.changed()).await;
    assert!(ended.expect("the request goes on").is_err());
}

#[tokio::test]
async fn only_so_many_requests_are_under_way_at_once() {
    let django = Django::start().await;
    let (gate, hold) = tokio::sync::watch::channel(false);
    django.on("driver_orders", move |_, _| {
        let mut hold = hold.clone();
        async move {
            hold.wait_for(|open| *open).await.unwrap();
            reply(200, &json!({"orders": []}))
        }
    });
    let asker = Arc::new(Asker::of(&django, &[("HOOKS_TIMEOUT", "20")]));
    let asking: Vec<_> = (0..40)
        .map(|_| {
            let asker = Arc::clone(&asker);
            tokio::spawn(async move { asker.ask().await.map(drop) })
        })
        .collect();
    assert_eq!(django.wait_for("driver_orders", 32).await.len(), 32);
    gate.send(true).unwrap();
    for asking in asking {
        assert_eq!(asking.await.unwrap(), Ok(()));
    }
    assert_eq!(django.asked("driver_orders").len(), 40);
}

#[tokio::test]
async fn who_is_down_is_unavailable_and_errors_hold_no_password() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://app:s3cret@{closed}/hooks/");
    Asker::at(&url, &ONE_ATTEMPT).unavailable().await;
    let Finding::Nothing(reason) = found(&url).await else { panic!("something answers") };
    assert!(!reason.contains("s3cret") && !reason.is_empty(), "{reason}");
}

async fn found(url: &str) -> Finding {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::for_tests(folder.path(), &[("HOOKS_URL", url), ("HOOKS_SECRET", SECRET)]).unwrap();
    probe(&config).await.unwrap().unwrap()
}

#[tokio::test]
async fn the_probe_tells_sound_hooks_from_everything_else() {
    let django = Django::start().await;
    assert_eq!(found(&django.url()).await, Finding::Unsigned);
    django.on("holodrive_check", |asked, _| async move {
        let signature = Signer::new(SECRET).unwrap().sign(asked.header("X-HoloDrive-Timestamp"), &asked.body);
        reply(if asked.header("X-HoloDrive-Signature") == signature { 404 } else { 401 }, &json!({}))
    });
    assert_eq!(found(&django.url()).await, Finding::Sound);
    django.always("holodrive_check", 401, json!({}));
    assert_eq!(found(&django.url()).await, Finding::OtherSecret);
    django.always("holodrive_check", 200, json!({}));
    assert_eq!(found(&django.url()).await, Finding::SomethingElse(200));
}

#[tokio::test]
async fn a_hook_that_is_slow_does_not_hold_up_the_others() {
    let django = Django::start().await;
    django.on("driver_orders", |_, _| std::future::pending());
    django.always("mark_as_read", 200, json!({}));
    let folder = tempfile::tempdir().unwrap();
    let url = django.url();
    let settings = [("HOOKS_URL", url.as_str()), ("HOOKS_SECRET", SECRET), ("HOOKS_TIMEOUT", "600")];
    let config = Config::for_tests(folder.path(), &settings).unwrap();
    let clock = Arc::new(ManualClock::at("2027-01-01T00:00:00+00:00".parse().unwrap()));
    let hooks = Hooks::new(&config, clock, Arc::new(Metrics::new())).unwrap();
    let orders = hooks.driver_orders.unwrap();
    // More than there are places for.
    let waiting: Vec<_> = (0..100).map(|id| orders.ask(DriverOrders { driver_id: UserId::Int(id) })).collect();
    django.wait_for("driver_orders", 32).await;
    let read = MarkAsRead { notification_id: 1, user_id: UserId::Int(7) };
    hooks.mark_as_read.unwrap().ask(read).await.unwrap();
    assert_eq!(django.asked("driver_orders").len(), 32);
    drop(waiting);
}
