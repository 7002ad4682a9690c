//! Messages of a back end.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    accounts::User,
    gateway::testing::Peer,
    hooks::testing::{Django, SECRET, reply},
    testing::Site,
};

pub(super) const CONVERSATION: i64 = 77;

/// A site of which the back end owns what `hooks` names.
pub(super) fn site(django: &Django, hooks: &str) -> Site {
    let url = django.url();
    Site::with(&[("HOOKS_URL", &url), ("HOOKS_SECRET", SECRET), ("HOOKS", hooks), ("HOOKS_RETRIES", "1")])
}

/// Lets everybody in.
pub(super) fn open_to_all(django: &Django) {
    django.on("chat_access", |asked, _| async move {
        let seats = asked.data()["seats"].as_array().unwrap().len();
        reply(200, &json!({"allowed": vec![true; seats]}))
    });
}

/// Stores messages under growing ids from 500.
pub(super) fn store_messages(django: &Django) {
    django.on("chat_message", |_, before| async move { reply(200, &json!({"message_id": 500 + before})) });
}

/// Ann and Bob in a conversation of the back end.
pub(super) async fn two(site: &Site) -> (Arc<User>, [Peer; 2]) {
    let (ann, bob) = (site.user("Ann", "Lee").await, site.user("Bob", "Ray").await);
    let peers = [site.chat(&ann, CONVERSATION).await, site.chat(&bob, CONVERSATION).await];
    (ann, peers)
}

pub(super) async fn say(peer: &Peer, text: &str) {
    peer.say(json!({"type": "chat_message", "message": text})).await;
}

#[tokio::test]
async fn everybody_hears_a_message_as_it_is_stored() {
    let django = Django::start().await;
    open_to_all(&django);
    let stored = json!({
        "message_id": 500, "created_at": "2026-02-03T04:05:06+00:00", "sender_name": "A. Lee", "is_from_support": true,
        "message": "Hi!",
    });
    django.always("chat_message", 201, stored.clone());
    let site = site(&django, "chat_access,chat_message");
    let (ann, mut peers) = two(&site).await;
    peers[0].say(json!({"type": "chat_message", "message": "Hi", "client_id": "a-1"})).await;
    let mut expected = stored;
    let more =
        json!({"type": "chat_message", "conversation_id": CONVERSATION, "sender_id": ann.id, "client_id": "a-1"});
    expected.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    for peer in &mut peers {
        assert_eq!(peer.hear().await, expected);
    }
    let asked = json!({
        "conversation_id": CONVERSATION, "user_id": ann.id, "sender_name": "Ann Lee", "is_from_support": false,
        "message": "Hi", "client_id": "a-1",
    });
    assert_eq!(django.asked("chat_message")[0].data(), asked);
}

#[tokio::test]
async fn what_was_told_before_is_told_to_the_asker_alone() {
    let django = Django::start().await;
    open_to_all(&django);
    django.on("chat_message", |asked, _| async move {
        reply(200, &json!({"message_id": if asked.data()["client_id"] == "a-1" { 500 } else { 501 }}))
    });
    let site = site(&django, "chat_access,chat_message");
    let (_, [mut ann, mut bob]) = two(&site).await;
    let message =
        |text: &str, client_id: &str| json!({"type": "chat_message", "message": text, "client_id": client_id});
    ann.say(message("First", "a-1")).await;
    let first = ann.hear().await;
    assert_eq!(bob.hear().await, first);
    ann.say(message("Again", "a-1")).await;
    assert_eq!(ann.hear().await, first);
    ann.say(message("Next", "a-2")).await;
    for peer in [&mut ann, &mut bob] {
        assert_eq!(peer.hear().await["message_id"], 501);
    }
}

#[tokio::test]
async fn an_attempt_that_was_stored_but_not_answered_is_told_once() {
    let django = Django::start().await;
    open_to_all(&django);
    django.on("chat_message", |_, before| async move {
        reply(if before == 0 { 502 } else { 200 }, &json!({"message_id": 500}))
    });
    let site = site(&django, "chat_access,chat_message");
    let (_, [mut ann, mut bob]) = two(&site).await;
    say(&ann, "Hi").await;
    let asked = django.asked("chat_message");
    assert_eq!((asked.len(), &asked[0].body), (2, &asked[1].body));
    for peer in [&mut ann, &mut bob] {
        assert_eq!(peer.hear().await["message_id"], 500);
        assert!(peer.heard().is_empty());
    }
}

#[tokio::test]
async fn messages_of_a_conversation_are_asked_for_one_after_another() {
    let django = Django::start().await;
    open_to_all(&django);
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (here, at_once) = (Arc::clone(&now), Arc::clone(&most));
    django.on("chat_message", move |_, before| {
        let (here, at_once) = (Arc::clone(&here), Arc::clone(&at_once));
        async move {
            at_once.fetch_max(here.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            here.fetch_sub(1, Ordering::SeqCst);
            reply(200, &json!({"message_id": 500 + before}))
        }
    });
    let site = site(&django, "chat_access,chat_message");
    let ann = site.user("Ann", "Lee").await;
    let mut peers = Vec::new();
    for _ in 0..8 {
        peers.push(site.chat(&ann, CONVERSATION).await);
    }
    for _ in 0..3 {
        join_all(peers.iter().map(|peer| say(peer, "Hi"))).await;
    }
    assert_eq!((most.load(Ordering::SeqCst), now.load(Ordering::SeqCst)), (1, 0));
    for peer in &mut peers {
        for id in 500..524 {
            assert_eq!(peer.hear().await["message_id"], id);
        }
    }
}

#[tokio::test]
async fn other_conversations_do_not_wait() {
    let django = Django::start().await;
    open_to_all(&django);
    django.on("chat_message", |asked, _| async move {
        if asked.data()["conversation_id"] == CONVERSATION {
            std::future::pending::<()>().await;
        }
        reply(200, &json!({"message_id": 1}))
    });
    let site = site(&django, "chat_access,chat_message");
    let ann = site.user("Ann", "Lee").await;
    let (slow, mut quick) = (site.chat(&ann, CONVERSATION).await, site.chat(&ann, CONVERSATION + 1).await);
    let waiting = say(&slow, "Hi");
    tokio::pin!(waiting);
    assert!(futures_util::poll!(&mut waiting).is_pending());
    django.wait_for("chat_message", 1).await;
    say(&quick, "Hi").await;
    quick.hear_type("chat_message").await;
}

#[tokio::test]
async fn what_it_refuses_or_cannot_do_leaves_the_connection_open() {
    let django = Django::start().await;
    open_to_all(&django);
    let site = site(&django, "chat_access,chat_message,read_message");
    let (_, [mut ann, mut bob]) = two(&site).await;
    let read = json!({"type": "read_message", "message_id": 5});
    for (status, code) in [(403, "forbidden"), (404, "not_found"), (409, "invalid_message"), (500, "unavailable")] {
        for hook in ["chat_message", "read_message"] {
            django.always(hook, status, json!({"code": "x", "detail": "No."}));
        }
        say(&ann, "Hi").await;
        assert_eq!(ann.hear_type("error").await["code"], code);
        ann.say(read.clone()).await;
        assert_eq!(ann.hear_type("error").await["code"], code);
    }
    store_messages(&django);
    django.always("read_message", 204, Value::Null);
    say(&ann, "Hi").await;
    ann.say(read).await;
    for peer in [&mut ann, &mut bob] {
        peer.hear_type("chat_message").await;
        assert_eq!(peer.hear_type("message_read").await["message_id"], 5);
    }
    say(&ann, "").await;
    assert_eq!(ann.hear_type("error").await["code"], "invalid_message");
}

#[tokio::test]
async fn nothing_of_ours_is_replayed_and_no_id_of_ours_hides_what_comes() {
    let django = Django::start().await;
    open_to_all(&django);
    store_messages(&django);
    let site = site(&django, "chat_access,chat_message");
    let ann = site.user("Ann", "Lee").await;
    let mut peer = site.try_chat(&ann, CONVERSATION, Some(1_000_000)).await.unwrap();
    peer.hear_type("connection_established").await;
    assert_eq!(peer.hear_type("resumed").await["count"], 0);
    say(&peer, "Hi").await;
    assert_eq!(peer.hear_type("chat_message").await["message_id"], 500);
}
