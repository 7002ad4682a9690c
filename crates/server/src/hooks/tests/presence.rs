//! `connected` and `disconnected`, on a running server.

use std::collections::HashMap;

use holodrive_client::Event;
use serde_json::{Value, json};

use super::{site::start, *};
use crate::hooks::{
    Hooks, Visit,
    testing::{Asked, reply},
};

async fn told(django: &Django, hook: &str, count: usize) -> Vec<Value> {
    django.wait_for(hook, count).await.iter().map(Asked::data).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_and_goes_is_told() {
    let django = Django::start().await;
    for hook in ["connected", "disconnected"] {
        django.on(hook, |_, _| async { reply(204, &Value::Null) });
    }
    django.always("chat_access", 200, json!({"allowed": [true]}));
    let site = start(&django, "connected,disconnected,chat_access").await;
    let mut socket = site.api.chat(77).connect();
    assert_eq!(socket.next().await, Event::Connected { resumed: false });
    let [connected] = told(&django, "connected", 1).await.try_into().unwrap();
    assert_eq!((&connected["endpoint"], &connected["object_id"]), (&json!("chat"), &json!(77)));
    assert_eq!(connected["user_id"], json!(site.user_id));
    assert!(django.asked("disconnected").is_empty());
    socket.close().await;
    let [disconnected] = told(&django, "disconnected", 1).await.try_into().unwrap();
    assert_eq!(disconnected["connection_id"], connected["connection_id"]);
    let mut other = site.api.notifications().connect();
    assert_eq!(other.next().await, Event::Connected { resumed: false });
    let second = told(&django, "connected", 2).await.pop().unwrap();
    assert_eq!((&second["endpoint"], &second["object_id"]), (&json!("notifications"), &Value::Null));
    assert_ne!(second["connection_id"], connected["connection_id"]);
    site.server.stop().await;
    assert_eq!(django.asked("disconnected").len(), 2, "what waits is told before the end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_let_in_is_not_told() {
    let django = Django::start().await;
    django.always("connected", 200, json!({}));
    django.always("chat_access", 200, json!({"allowed": [false]}));
    let site = start(&django, "connected,chat_access").await;
    let mut socket = site.api.chat(77).connect();
    while !matches!(socket.next().await, Event::Ended(_)) {}
    site.server.stop().await;
    assert!(django.asked("connected").is_empty());
}

/// The first attempts fail, and those that come later would be told first if they could.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_connection_is_told_of_in_order_whatever_fails() {
    let django = Django::start().await;
    for hook in ["connected", "disconnected"] {
        django.on(hook, |_, before| async move { reply(if before % 3 == 0 { 500 } else { 200 }, &json!({})) });
    }
    let site = start(&django, "connected,disconnected").await;
    for _ in 0..12 {
        let mut socket = site.api.notifications().connect();
        assert_eq!(socket.next().await, Event::Connected { resumed: false });
        socket.close().await;
    }
    let mut open: HashMap<String, &str> = HashMap::new();
    let answered = |hook: &str| {
        django
            .asked(hook)
            .iter()
            .map(|one| one.header("Idempotency-Key").to_owned())
            .collect::<std::collections::HashSet<_>>()
            .len()
    };
    while answered("disconnected") < 12 {
        let asked = django.asked("disconnected").len();
        django.wait_for("disconnected", asked + 1).await;
    }
    for asked in django.all() {
        let id = asked.data()["connection_id"].as_str().unwrap().to_owned();
        let before = open.insert(id, if asked.hook == "connected" { "connected" } else { "disconnected" });
        let follows = match asked.hook.as_str() {
            "connected" => matches!(before, None | Some("connected")),
            _ => before.is_some(),
        };
        assert!(follows, "{asked:?} after {before:?}");
    }
    assert_eq!(open.len(), 12);
    site.server.stop().await;
}

#[tokio::test]
async fn what_finds_no_room_is_dropped_and_counted() {
    let django = Django::start().await;
    django.on("connected", |_, _| std::future::pending());
    let folder = tempfile::tempdir().unwrap();
    let url = django.url();
    let settings = [("HOOKS_URL", url.as_str()), ("HOOKS_SECRET", SECRET)];
    let config = Config::for_tests(folder.path(), &settings).unwrap();
    let metrics = Arc::new(Metrics::new());
    let clock = Arc::new(crate::clock::SystemClock);
    let presence = Hooks::new(&config, clock, Arc::clone(&metrics)).unwrap().presence.unwrap();
    for connection in 0..10_100 {
        presence.connected(&Visit { connection, endpoint: "chat", user_id: UserId::Int(1), object_id: None });
    }
    let text = metrics.encode();
    let dropped = text.lines().find_map(|line| line.strip_prefix("holodrive_hook_events_dropped_total "));
    let dropped: usize = dropped.unwrap().parse().unwrap();
    assert!((1..=100).contains(&dropped), "{dropped}");
}
