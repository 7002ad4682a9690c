//! `connected` and `disconnected`, on a running server.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use holodrive_client::Event;
use serde_json::{Value, json};

use super::{site::start, *};
use crate::{
    clock::SystemClock,
    hooks::{
        Hooks, Presence, Visit,
        testing::{Asked, reply},
    },
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
    let before = django.asked("disconnected").len();
    django.on("disconnected", move |_, count| async move {
        reply(if count < before + 2 { 500 } else { 200 }, &Value::Null)
    });
    site.server.stop().await;
    assert_eq!(django.asked("disconnected").len(), before + 3, "what waits is told before the end");
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
        django.asked(hook).iter().map(|one| one.header("Idempotency-Key").to_owned()).collect::<HashSet<_>>().len()
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
async fn what_waits_is_told_at_the_end_and_nothing_that_comes_later() {
    let django = Django::start().await;
    django.always("connected", 200, json!({}));
    let (presence, metrics) = presence_of(&django);
    for connection in 0..100 {
        presence.connected(&visit(connection));
    }
    presence.drain(Duration::from_secs(20)).await;
    assert_eq!(django.asked("connected").len(), 100);
    presence.connected(&visit(100));
    assert_eq!(dropped(&metrics), 1);
}

/// The end is not waited for longer than is said.
#[tokio::test]
async fn a_back_end_that_is_away_holds_up_nobody() {
    let django = Django::start().await;
    django.on("connected", |_, _| std::future::pending());
    let (presence, _) = presence_of(&django);
    presence.connected(&visit(1));
    django.wait_for("connected", 1).await;
    let draining = presence.drain(Duration::from_millis(50));
    tokio::time::timeout(Duration::from_secs(4), draining).await.expect("it waits for an answer");
}

#[tokio::test]
async fn what_finds_no_room_is_dropped_and_counted() {
    let django = Django::start().await;
    django.on("connected", |_, _| std::future::pending());
    let (presence, metrics) = presence_of(&django);
    for connection in 0..10_100 {
        presence.connected(&visit(connection));
    }
    let dropped = dropped(&metrics);
    assert!((1..=100).contains(&dropped), "{dropped}");
}

fn presence_of(django: &Django) -> (Arc<Presence>, Arc<Metrics>) {
    let folder = tempfile::tempdir().unwrap();
    let settings = [("HOOKS_URL", &*django.url()), ("HOOKS_SECRET", SECRET)];
    let config = Config::for_tests(folder.path(), &settings).unwrap();
    let metrics = Arc::new(Metrics::new());
    let hooks = Hooks::new(&config, Arc::new(SystemClock), Arc::clone(&metrics)).unwrap();
    (hooks.presence.unwrap(), metrics)
}

fn visit(connection: u64) -> Visit {
    Visit { connection, endpoint: "chat", user_id: UserId::Int(1), object_id: None }
}

/// How many events were dropped.
fn dropped(metrics: &Metrics) -> usize {
    let text = metrics.encode();
    let dropped = text.lines().find_map(|line| line.strip_prefix("holodrive_hook_events_dropped_total "));
    dropped.unwrap().parse().unwrap()
}
