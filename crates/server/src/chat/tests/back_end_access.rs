//! Conversations into which a back end lets people.

use std::sync::Arc;

use serde_json::json;

use super::back_end::{CONVERSATION, open_to_all, say, site, store_messages, two};
use crate::{
    gateway::Endpoint,
    hooks::testing::{Asked, Django, reply},
};

#[tokio::test]
async fn it_says_who_is_let_in_staff_included() {
    let django = Django::start().await;
    let site = site(&django, "chat_access");
    let staff = site.staff("Sam", "Help").await;
    django.always("chat_access", 200, json!({"allowed": [true]}));
    site.chat(&staff, CONVERSATION).await;
    let seats = json!({"seats": [{"conversation_id": CONVERSATION, "user_id": staff.id}]});
    assert_eq!(django.asked("chat_access")[0].data(), seats);
    for (status, answer, code) in [
        (200, json!({"allowed": [false]}), 4403),
        (200, json!({"allowed": []}), 1011),
        (500, json!({}), 1011),
        (403, json!({}), 4403),
    ] {
        django.always("chat_access", status, answer);
        assert_eq!(site.try_chat(&staff, CONVERSATION, None).await.err().unwrap().code, code);
    }
}

#[tokio::test]
async fn it_is_asked_again_for_all_who_are_there() {
    let django = Django::start().await;
    open_to_all(&django);
    let site = site(&django, "chat_access");
    let ann = site.user("Ann", "Lee").await;
    let mut peers = Vec::new();
    for id in 1..=101 {
        peers.push(site.chat(&ann, id).await);
    }
    let mut twice = site.chat(&ann, 101).await;
    let before = django.asked("chat_access").len();
    django.on("chat_access", |asked, _| async move {
        let seats = asked.data()["seats"].as_array().unwrap().clone();
        let allowed: Vec<_> = seats.iter().map(|seat| seat["conversation_id"] != 101).collect();
        reply(200, &json!({"allowed": allowed}))
    });
    site.chat_endpoint.recheck().await;
    assert_eq!((peers[100].closed().await, twice.closed().await), (4403, 4403));
    let sizes = |asked: &Asked| asked.data()["seats"].as_array().unwrap().len();
    let batches: Vec<_> = django.asked("chat_access")[before..].iter().map(sizes).collect();
    assert_eq!(batches, [100, 1]);
    assert!(peers[..100].iter().all(|peer| !peer.connection.is_closing()));
}

#[tokio::test]
async fn nobody_is_closed_because_it_fails() {
    let django = Django::start().await;
    open_to_all(&django);
    let site = site(&django, "chat_access");
    let (_, peers) = two(&site).await;
    for (status, answer) in [(500, json!({})), (403, json!({})), (200, json!({"allowed": [false]}))] {
        django.always("chat_access", status, answer);
        let before = django.asked("chat_access").len();
        // A round begins only when the last one is over.
        while django.asked("chat_access").len() < before + 4 {
            site.chat_endpoint.recheck().await;
            tokio::task::yield_now().await;
        }
    }
    assert!(peers.iter().all(|peer| !peer.connection.is_closing()));
}

/// Our conversation of the same id is another one.
#[tokio::test]
async fn a_removal_from_ours_closes_nobody_there() {
    let django = Django::start().await;
    open_to_all(&django);
    let site = site(&django, "chat_access");
    let (ann, bob) = (site.user("Ann", "Lee").await, site.user("Bob", "Ray").await);
    let id = site.conversation(&[&ann, &bob]).await;
    let mut peer = site.chat(&bob, id).await;
    let (chat, bob_id) = (Arc::clone(&site.chat), bob.id);
    site.write(move |tx| chat.remove_participant(tx, id, bob_id)).await;
    say(&peer, "Still here").await;
    assert_eq!(peer.hear_type("chat_message").await["message"], "Still here");
}

#[tokio::test]
async fn without_access_ours_decides_and_its_ids_are_told() {
    let django = Django::start().await;
    store_messages(&django);
    let site = site(&django, "chat_message");
    let (ann, bob) = (site.user("Ann", "Lee").await, site.user("Bob", "Ray").await);
    let id = site.conversation(&[&ann]).await;
    assert_eq!(site.try_chat(&bob, id, None).await.err().unwrap().code, 4403);
    let mut peer = site.chat(&ann, id).await;
    say(&peer, "Hi").await;
    assert_eq!(peer.hear_type("chat_message").await["message_id"], 500);
    peer.say(json!({"type": "read_message", "message_id": 500})).await;
    assert_eq!(peer.hear_type("error").await["code"], "not_found");
}
