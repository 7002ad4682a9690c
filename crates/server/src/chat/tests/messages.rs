//! What a message stores, and who is notified of it.

use std::sync::Arc;

use holodrive_protocol::{ConversationId, NotificationId, notifications::Notification};
use serde_json::json;

use crate::{
    accounts::User,
    chat::{ChatError, Draft, Posted},
    testing::Site,
};

async fn try_post(
    site: &Site,
    sender: &Arc<User>,
    id: ConversationId,
    (text, client_id): (&str, Option<&str>),
) -> Result<Posted, ChatError> {
    let draft = Draft::new(text.into(), client_id.map(str::to_owned)).unwrap();
    let (chat, sender) = (Arc::clone(&site.chat), Arc::clone(sender));
    site.storage.write(move |tx| chat.post(tx, id, &sender, &draft)).await
}

async fn post(site: &Site, sender: &Arc<User>, id: ConversationId, text: &str) -> Posted {
    try_post(site, sender, id, (text, None)).await.unwrap()
}

/// The user's notifications, newest first.
async fn notifications(site: &Site, user: &User) -> Vec<Notification> {
    let (notifications, user_id) = (Arc::clone(&site.notifications), user.id);
    site.write(move |tx| notifications.list(tx, user_id, NotificationId::MAX, None, 100)).await
}

async fn support(site: &Site, user: &User) -> ConversationId {
    let (chat, user_id) = (Arc::clone(&site.chat), user.id);
    site.write(move |tx| chat.open_support_conversation(tx, user_id)).await.0.id
}

#[tokio::test]
async fn the_other_participants_are_notified_in_the_words_of_the_specification() {
    let site = Site::new();
    let (ann, bob) = (site.user("Ann", "Lee").await, site.user("Bob", "").await);
    let id = site.conversation(&[&ann, &bob]).await;
    let message = post(&site, &ann, id, "Hi").await.message;
    let [told] = notifications(&site, &bob).await.try_into().unwrap();
    assert_eq!(
        (told.title.as_str(), told.message.as_str()),
        ("New message from Ann Lee", "New message in conversation: Hi...")
    );
    assert_eq!((told.notification_type.as_str(), told.related_object_id), ("chat_message", Some(id)));
    assert_eq!(told.related_object_type.as_deref(), Some("conversation"));
    assert_eq!(told.data, json!({"conversation_id": id, "message_id": message.message_id}));
    assert!(notifications(&site, &ann).await.is_empty());
    post(&site, &bob, id, "Hello").await;
    assert_eq!(notifications(&site, &ann).await[0].title, "New message from Bob");
}

#[tokio::test]
async fn a_notification_shows_fifty_characters_whatever_their_size() {
    let site = Site::new();
    let (ann, bob) = (site.user("Ann", "Lee").await, site.user("Bob", "Ray").await);
    let id = site.conversation(&[&ann, &bob]).await;
    post(&site, &ann, id, &"ў🚕".repeat(30)).await;
    let expected = format!("New message in conversation: {}...", "ў🚕".repeat(25));
    assert_eq!(notifications(&site, &bob).await[0].message, expected);
}

#[tokio::test]
async fn a_client_id_makes_a_message_once_for_each_sender_and_conversation() {
    let site = Site::new();
    let (ann, bob) = (site.user("Ann", "Lee").await, site.user("Bob", "Ray").await);
    let id = site.conversation(&[&ann, &bob]).await;
    let first = try_post(&site, &ann, id, ("First", Some("a"))).await.unwrap();
    let again = try_post(&site, &ann, id, ("Other text", Some("a"))).await.unwrap();
    assert_eq!((first.is_new, again.is_new), (true, false));
    assert_eq!(first.message, again.message);
    assert_eq!(notifications(&site, &bob).await.len(), 1);
    let elsewhere = site.conversation(&[&ann, &bob]).await;
    for (sender, conversation) in [(&bob, id), (&ann, elsewhere)] {
        assert!(try_post(&site, sender, conversation, ("Mine", Some("a"))).await.unwrap().is_new);
    }
    for _ in 0..2 {
        assert!(try_post(&site, &ann, id, ("No id", Some(""))).await.unwrap().is_new);
    }
}

#[tokio::test]
async fn only_members_and_staff_may_write() {
    let site = Site::new();
    let (ann, bob, eve) = (site.user("Ann", "Lee").await, site.user("Bob", "Ray").await, site.user("Eve", "Orr").await);
    let staff = site.staff("Sam", "Help").await;
    let id = site.conversation(&[&ann, &bob]).await;
    assert!(post(&site, &staff, id, "Hello").await.message.is_from_support);
    assert!(!post(&site, &ann, id, "Hello").await.message.is_from_support);
    for conversation in [id, id + 1] {
        let refused = try_post(&site, &eve, conversation, ("Hello", None)).await;
        assert!(matches!(refused, Err(ChatError::NotMember)), "{refused:?}");
    }
}

#[tokio::test]
async fn all_active_staff_hear_of_support_until_one_of_them_cares() {
    let site = Site::new();
    let ann = site.user("Ann", "Lee").await;
    let (sam, kim, old) =
        (site.staff("Sam", "Help").await, site.staff("Kim", "Help").await, site.staff("Old", "Help").await);
    let old_id = old.id;
    site.write(move |tx| tx.execute("UPDATE auth_user SET is_active = FALSE WHERE id = $1", &[old_id.into()])).await;
    let id = support(&site, &ann).await;
    post(&site, &ann, id, "Help me").await;
    post(&site, &ann, id, "Please").await;
    for (user, expected) in [(&sam, 2), (&kim, 2), (&old, 0), (&ann, 0)] {
        assert_eq!(notifications(&site, user).await.len(), expected, "{}", user.username);
    }
    post(&site, &sam, id, "How can I help you?").await;
    post(&site, &ann, id, "Thanks").await;
    for (user, expected) in [(&sam, 2), (&kim, 2), (&ann, 1)] {
        assert_eq!(notifications(&site, user).await.len(), expected, "{}", user.username);
    }
}

#[tokio::test]
async fn a_support_conversation_with_staff_in_it_is_theirs() {
    let site = Site::new();
    let ann = site.user("Ann", "Lee").await;
    let (sam, kim) = (site.staff("Sam", "Help").await, site.staff("Kim", "Help").await);
    let id = support(&site, &ann).await;
    let sam_id = sam.id;
    site.write(move |tx| {
        let sql = "INSERT INTO holodrive_conversation_participant VALUES ($1, $2, $3)";
        tx.execute(sql, &[id.into(), sam_id.into(), tx.now().into()])
    })
    .await;
    post(&site, &ann, id, "Help me").await;
    for (user, expected) in [(&sam, 1), (&kim, 0)] {
        assert_eq!(notifications(&site, user).await.len(), expected, "{}", user.username);
    }
}

#[test]
fn a_draft_is_judged_by_its_characters() {
    let draft = |text: &str, client_id: &str| {
        Draft::new(text.into(), Some(client_id.into())).map_err(|problem| {
            let message = holodrive_protocol::socket::ErrorMessage::from(problem);
            serde_json::to_value(message.code).unwrap()
        })
    };
    assert!(draft(&"ў".repeat(4_000), &"é".repeat(64)).is_ok());
    assert!(draft("  ", "").is_ok());
    assert_eq!(draft(&"ў".repeat(4_001), "").unwrap_err(), "too_long");
    assert_eq!(draft("x", &"é".repeat(65)).unwrap_err(), "too_long");
    assert_eq!(draft("", "").unwrap_err(), "invalid_message");
    assert_eq!(draft("a\0b", "").unwrap_err(), "invalid_message");
}
