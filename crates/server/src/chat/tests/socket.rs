//! What connections to a conversation hear.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{accounts::User, gateway::testing::Peer, testing::Site};

/// Ann and Bob, in a conversation.
async fn two(site: &Site) -> (Arc<User>, Arc<User>, i64) {
    let (ann, bob) = (site.user("Ann", "Lee").await, site.user("Bob", "Ray").await);
    let id = site.conversation(&[&ann, &bob]).await;
    (ann, bob, id)
}

async fn say(peer: &Peer, text: &str) {
    peer.say(json!({"type": "chat_message", "message": text})).await;
}

async fn hear_text(peer: &mut Peer) -> String {
    peer.hear_type("chat_message").await["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_messages_are_those_of_the_specification() {
    let site = Site::new();
    let (ann, _, id) = two(&site).await;
    let mut peer = site.try_chat(&ann, id, None).await.unwrap();
    let established = json!({"type": "connection_established", "message": "Connected to chat", "conversation_id": id});
    assert_eq!(peer.hear().await, established);
    say(&peer, " Hello,\nhow can I help you? ").await;
    let mut message = peer.hear().await;
    let fields = message.as_object_mut().unwrap();
    assert!(fields.remove("created_at").unwrap().as_str().unwrap().ends_with("+00:00"));
    let message_id = fields.remove("message_id").unwrap();
    assert!(message_id.is_i64());
    let expected = json!({
        "type": "chat_message", "message": " Hello,\nhow can I help you? ", "sender_id": ann.id, "sender_name": "Ann Lee",
        "is_from_support": false, "conversation_id": id,
    });
    assert_eq!(message, expected);
}

#[tokio::test]
async fn everybody_in_the_conversation_hears_the_same_in_the_same_order() {
    let site = Site::new();
    let (ann, bob, id) = two(&site).await;
    let mut peers = [site.chat(&ann, id).await, site.chat(&bob, id).await, site.chat(&ann, id).await];
    for text in ["one", "two"] {
        for peer in &peers {
            say(peer, text).await;
        }
    }
    let mut heard = Vec::new();
    for peer in &mut peers {
        let mut messages = Vec::new();
        for _ in 0..6 {
            messages.push(peer.hear_type("chat_message").await);
        }
        assert!(messages.is_sorted_by_key(|message| message["message_id"].as_i64()));
        heard.push(messages);
    }
    assert!(heard.iter().all(|messages| *messages == heard[0]));
}

#[tokio::test]
async fn a_repeated_client_id_is_answered_to_its_sender_alone() {
    let site = Site::new();
    let (ann, bob, id) = two(&site).await;
    let (mut one, mut two, mut other) =
        (site.chat(&ann, id).await, site.chat(&ann, id).await, site.chat(&bob, id).await);
    let message = |text: &str| json!({"type": "chat_message", "message": text, "client_id": "a-1"});
    one.say(message("First")).await;
    let first = one.hear_type("chat_message").await;
    assert_eq!(first["client_id"], "a-1");
    two.say(message("Again")).await;
    assert_eq!([two.hear().await, two.hear().await], [first.clone(), first.clone()]);
    say(&other, "Next").await;
    assert_eq!(other.hear().await, first);
    for peer in [&mut one, &mut two, &mut other] {
        assert_eq!(hear_text(peer).await, "Next");
    }
}

#[tokio::test]
async fn typing_is_told_to_the_other_users() {
    let site = Site::new();
    let (ann, bob, id) = two(&site).await;
    let (mut own, mut other) = (site.chat(&ann, id).await, site.chat(&bob, id).await);
    let typing = |is_typing| json!({"type": "typing", "is_typing": is_typing});
    own.say(typing(true)).await;
    let expected = json!({"type": "typing", "is_typing": true, "user": ann.id, "user_name": "Ann Lee"});
    assert_eq!(other.hear().await, expected);
    own.say(typing(true)).await;
    own.say(typing(false)).await;
    assert_eq!(other.hear().await["is_typing"], false);
    say(&own, "Done").await;
    assert_eq!(hear_text(&mut own).await, "Done");
}

#[tokio::test]
async fn a_read_receipt_is_stored_once_and_told_to_all() {
    let site = Site::new();
    let (ann, bob, id) = two(&site).await;
    let (mut own, mut other) = (site.chat(&ann, id).await, site.chat(&bob, id).await);
    say(&own, "Read this").await;
    let message_id = own.hear().await["message_id"].clone();
    other.hear_type("chat_message").await;
    let (read, told) = (
        json!({"type": "read_message", "message_id": message_id}),
        json!({"type": "message_read", "message_id": message_id, "read_by": bob.id}),
    );
    other.say(read.clone()).await;
    assert_eq!((own.hear().await, other.hear().await), (told.clone(), told.clone()));
    other.say(read).await;
    assert_eq!(other.hear().await, told);
    say(&other, "Next").await;
    assert_eq!(hear_text(&mut own).await, "Next");
    let count = |tx: &mut crate::storage::Tx<'_>| {
        tx.query_one("SELECT COUNT(*) FROM holodrive_message_read", &[])?.unwrap().first::<i64>()
    };
    assert_eq!(site.write(count).await, 1);
}

#[tokio::test]
async fn a_message_of_another_conversation_cannot_be_read_here() {
    let site = Site::new();
    let (ann, bob, id) = two(&site).await;
    let elsewhere = site.conversation(&[&bob]).await;
    let mut other = site.chat(&bob, elsewhere).await;
    say(&other, "Private").await;
    let message_id = other.hear().await["message_id"].clone();
    let mut peer = site.chat(&ann, id).await;
    peer.say(json!({"type": "read_message", "message_id": message_id})).await;
    assert_eq!(peer.hear_type("error").await["code"], "not_found");
}

#[tokio::test]
async fn wrong_messages_are_answered_and_the_connection_stays_open() {
    let site = Site::new();
    let (ann, _, id) = two(&site).await;
    let mut peer = site.chat(&ann, id).await;
    let wrong: [(Value, &str); 5] = [
        (json!({"type": "chat_message", "message": ""}), "invalid_message"),
        (json!({"type": "chat_message"}), "invalid_message"),
        (json!({"type": "chat_message", "message": "x".repeat(4_001)}), "too_long"),
        (json!({"type": "chat_message", "message": "x", "client_id": "x".repeat(65)}), "too_long"),
        (json!({"type": "shout"}), "unknown_type"),
    ];
    for (message, code) in wrong {
        peer.say(message).await;
        assert_eq!(peer.hear_type("error").await["code"], code);
    }
    say(&peer, &"x".repeat(4_000)).await;
    assert_eq!(hear_text(&mut peer).await.len(), 4_000);
}

#[tokio::test]
async fn strangers_learn_nothing_and_staff_may_enter() {
    let site = Site::new();
    let (_, _, id) = two(&site).await;
    let (eve, sam) = (site.user("Eve", "Orr").await, site.staff("Sam", "Help").await);
    let refusals = [site.try_chat(&eve, id, None).await, site.try_chat(&eve, id + 1, None).await];
    let [real, unreal] = refusals.map(|refused| refused.map(drop).unwrap_err());
    assert_eq!((real.code, unreal.code), (4403, 4403));
    let text = |close: crate::gateway::Close| close.error.unwrap().message;
    assert_eq!(text(real), text(unreal));
    assert_eq!(site.try_chat(&sam, id + 1, None).await.map(drop).unwrap_err().code, 4403);
    let mut peer = site.chat(&sam, id).await;
    say(&peer, "Hello").await;
    assert_eq!(peer.hear_type("chat_message").await["is_from_support"], true);
}

#[tokio::test]
async fn who_is_removed_is_closed_at_once_and_nobody_else() {
    let site = Site::new();
    let (ann, bob, id) = two(&site).await;
    let (mut gone, mut gone_too, mut stays) =
        (site.chat(&ann, id).await, site.chat(&ann, id).await, site.chat(&bob, id).await);
    let (chat, ann_id) = (Arc::clone(&site.chat), ann.id);
    site.write(move |tx| chat.remove_participant(tx, id, ann_id)).await;
    say(&stays, "Still here").await;
    assert_eq!(hear_text(&mut stays).await, "Still here");
    assert_eq!((gone.next().await, gone.closed().await, gone_too.closed().await), (None, 4403, 4403));
    assert_eq!(site.try_chat(&ann, id, None).await.map(drop).unwrap_err().code, 4403);
}

#[tokio::test]
async fn a_lost_membership_is_noticed_by_looking_again() {
    let site = Site::new();
    let (ann, bob, id) = two(&site).await;
    let sam = site.staff("Sam", "Help").await;
    let (mut gone, mut stays, mut staff) =
        (site.chat(&ann, id).await, site.chat(&bob, id).await, site.chat(&sam, id).await);
    let ann_id = ann.id;
    let sql = "DELETE FROM holodrive_conversation_participant WHERE user_id = $1";
    site.write(move |tx| tx.execute(sql, &[ann_id.into()])).await;
    crate::gateway::Endpoint::recheck(&*site.chat_endpoint).await;
    assert_eq!(gone.closed().await, 4403);
    say(&staff, "Hello").await;
    assert_eq!((hear_text(&mut stays).await, hear_text(&mut staff).await), ("Hello".into(), "Hello".into()));
}

#[tokio::test]
async fn a_replay_ends_with_its_count_and_goes_on_live() {
    let site = Site::new();
    let (ann, bob, id) = two(&site).await;
    let mut writer = site.chat(&ann, id).await;
    let mut ids = Vec::new();
    for text in ["one", "two", "three"] {
        say(&writer, text).await;
        ids.push(writer.hear().await["message_id"].as_i64().unwrap());
    }
    let mut reader = site.try_chat(&bob, id, Some(ids[0])).await.unwrap();
    reader.hear_type("connection_established").await;
    assert_eq!([hear_text(&mut reader).await, hear_text(&mut reader).await], ["two", "three"]);
    assert_eq!(reader.hear().await, json!({"type": "resumed", "count": 2}));
    say(&writer, "four").await;
    assert_eq!(hear_text(&mut reader).await, "four");
}
