//! Who opens which conversation, and who sees it.

use std::sync::Arc;

use holodrive_protocol::{ConversationId, UserId, chat::Conversation};

use crate::{accounts::User, testing::Site};

async fn order_conversation(
    site: &Site,
    existing: Option<ConversationId>,
    order_id: i64,
    rider: UserId,
    driver: UserId,
) -> ConversationId {
    let chat = Arc::clone(&site.chat);
    site.write(move |tx| chat.open_order_conversation(tx, existing, order_id, rider, driver)).await
}

async fn list(site: &Site, user: &Arc<User>) -> Vec<Conversation> {
    let (chat, user) = (Arc::clone(&site.chat), Arc::clone(user));
    site.write(move |tx| chat.list(tx, &user, ConversationId::MAX, 100)).await
}

#[tokio::test]
async fn an_order_has_one_conversation_whoever_drives() {
    let site = Site::new();
    let (rider, one, two) =
        (site.user("Ann", "Lee").await, site.user("Bob", "Ray").await, site.user("Cid", "Fox").await);
    let id = order_conversation(&site, None, 7, rider.id, one.id).await;
    assert_eq!(order_conversation(&site, Some(id), 7, rider.id, one.id).await, id);
    let (chat, one_id) = (Arc::clone(&site.chat), one.id);
    site.write(move |tx| chat.remove_participant(tx, id, one_id)).await;
    assert_eq!(order_conversation(&site, Some(id), 7, rider.id, two.id).await, id);
    assert_ne!(order_conversation(&site, None, 8, rider.id, one.id).await, id);
    let conversations = list(&site, &two).await;
    assert_eq!(conversations.len(), 1);
    assert_eq!((conversations[0].id, conversations[0].order_id), (id, Some(7)));
    assert_eq!(conversations[0].participant_ids, [rider.id, two.id]);
}

#[tokio::test]
async fn a_user_has_one_open_support_conversation() {
    let site = Site::new();
    let ann = site.user("Ann", "Lee").await;
    let mut opened = Vec::new();
    for _ in 0..2 {
        let (chat, user_id) = (Arc::clone(&site.chat), ann.id);
        opened.push(site.write(move |tx| chat.open_support_conversation(tx, user_id)).await);
    }
    let [(first, true), (second, false)] = &opened[..] else { panic!("{opened:?}") };
    assert_eq!(first, second);
    assert_eq!(first.participant_ids, [ann.id]);
}

#[tokio::test]
async fn members_see_theirs_and_staff_see_all_newest_first_with_the_last_message() {
    let site = Site::new();
    let (ann, bob, sam) =
        (site.user("Ann", "Lee").await, site.user("Bob", "Ray").await, site.staff("Sam", "Help").await);
    let old = site.conversation(&[&ann, &bob]).await;
    let new = site.conversation(&[&bob]).await;
    let mut peer = site.chat(&ann, old).await;
    for text in ["one", "two"] {
        peer.say(serde_json::json!({"type": "chat_message", "message": text})).await;
        peer.hear_type("chat_message").await;
    }
    let ids = |conversations: &[Conversation]| conversations.iter().map(|one| one.id).collect::<Vec<_>>();
    assert_eq!(ids(&list(&site, &ann).await), [old]);
    assert_eq!(ids(&list(&site, &bob).await), [new, old]);
    let all = list(&site, &sam).await;
    assert_eq!(ids(&all), [new, old]);
    assert_eq!(all[0].last_message, None);
    assert_eq!(all[1].last_message.as_ref().map(|message| message.message.as_str()), Some("two"));
}
