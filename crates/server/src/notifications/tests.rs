mod back_end;
mod interleavings;

use std::sync::Arc;

use holodrive_protocol::notifications::DeliveryStepKind::{self, Confirmed, Read, Stored, Written};
use serde_json::{Value, json};

use super::NewNotification;
use crate::{accounts::User, gateway::testing::Peer, testing::Site};

fn new(title: &str) -> NewNotification {
    NewNotification {
        title: title.into(),
        message: "A text".into(),
        notification_type: "note".into(),
        related_object_type: Some("order".into()),
        related_object_id: Some(7),
        data: json!({"order_id": 7}),
    }
}

async fn notify(site: &Site, user: &User, title: &str) -> i64 {
    let (notifications, user_id, new) = (Arc::clone(&site.notifications), user.id, new(title));
    site.write(move |tx| Ok(notifications.notify(tx, &[user_id], new)?[0])).await
}

async fn connect(site: &Site, user: &Arc<User>, since: Option<i64>) -> Peer {
    let mut peer = site.notifications(user, since).await;
    peer.hear_type("connection_established").await;
    peer
}

/// The ids of a replay, up to and including its `resumed`.
async fn replayed(peer: &mut Peer) -> Vec<i64> {
    let mut ids = Vec::new();
    loop {
        let message = peer.hear().await;
        if message["type"] == "resumed" {
            assert_eq!(message["count"], ids.len());
            return ids;
        }
        ids.push(message["notification"]["id"].as_i64().unwrap());
    }
}

#[tokio::test]
async fn the_messages_are_those_of_the_specification() {
    let site = Site::new();
    let ann = site.user("Ann", "Lee").await;
    let mut peer = site.notifications(&ann, None).await;
    let user_id = ann.id.to_string();
    let established =
        json!({"type": "connection_established", "message": "Connected to notifications", "user_id": user_id});
    assert_eq!(peer.hear().await, established);
    let id = notify(&site, &ann, "Hello").await;
    let mut message = peer.hear().await;
    let created_at = message["notification"].as_object_mut().unwrap().remove("created_at").unwrap();
    assert!(created_at.as_str().unwrap().ends_with("+00:00"), "{created_at}");
    let notification = json!({
        "id": id, "title": "Hello", "message": "A text", "notification_type": "note", "related_object_type": "order",
        "related_object_id": 7, "data": {"order_id": 7}, "status": "unread",
    });
    assert_eq!(message, json!({"type": "notification", "notification": notification}));
}

#[tokio::test]
async fn every_connection_of_the_user_gets_a_notification_and_nobody_else_does() {
    let site = Site::new();
    let (ann, bob) = (site.user("Ann", "Lee").await, site.user("Bob", "Ray").await);
    let mut peers = [connect(&site, &ann, None).await, connect(&site, &ann, None).await];
    let mut other = connect(&site, &bob, None).await;
    notify(&site, &ann, "For Ann").await;
    notify(&site, &bob, "For Bob").await;
    for peer in &mut peers {
        assert_eq!(peer.hear().await["notification"]["title"], "For Ann");
    }
    assert_eq!(other.hear().await["notification"]["title"], "For Bob");
}

#[tokio::test]
async fn what_is_not_committed_is_not_sent() {
    let site = Site::new();
    let ann = site.user("Ann", "Lee").await;
    let mut peer = connect(&site, &ann, None).await;
    let (notifications, user_id) = (Arc::clone(&site.notifications), ann.id);
    let undone: Result<(), _> = site
        .storage
        .write(move |tx| {
            notifications.notify(tx, &[user_id], new("Lost"))?;
            Err(crate::storage::StorageError::Unavailable)
        })
        .await;
    assert!(undone.is_err());
    notify(&site, &ann, "Kept").await;
    assert_eq!(peer.hear().await["notification"]["title"], "Kept");
}

#[tokio::test]
async fn a_mark_as_read_is_stored_once_and_told_to_all_connections() {
    let site = Site::new();
    let ann = site.user("Ann", "Lee").await;
    let id = notify(&site, &ann, "Hello").await;
    let (mut one, mut two) = (connect(&site, &ann, None).await, connect(&site, &ann, None).await);
    let (mark, told) = (
        json!({"type": "mark_as_read", "notification_id": id}),
        json!({
            "type": "notification_read", "notification_id": id,
        }),
    );
    one.say(mark.clone()).await;
    assert_eq!((one.hear().await, two.hear().await), (told.clone(), told.clone()));
    one.say(mark).await;
    assert_eq!(one.hear().await, told);
    notify(&site, &ann, "Next").await;
    two.hear_type("notification").await;
    let mut resumed = connect(&site, &ann, Some(0)).await;
    assert_eq!(resumed.hear().await["notification"]["status"], "read");
}

#[tokio::test]
async fn what_is_not_ones_own_is_not_found() {
    let site = Site::new();
    let (ann, bob) = (site.user("Ann", "Lee").await, site.user("Bob", "Ray").await);
    let id = notify(&site, &ann, "For Ann").await;
    let mut peer = connect(&site, &bob, None).await;
    for id in [id, id + 1, -1] {
        peer.say(json!({"type": "mark_as_read", "notification_id": id})).await;
        assert_eq!(peer.hear_type("error").await["code"], "not_found");
    }
    let notifications = Arc::clone(&site.notifications);
    let ann_id = ann.id;
    let unread = site.write(move |tx| notifications.find(tx, ann_id, id)).await.unwrap();
    assert_eq!(serde_json::to_value(unread.status).unwrap(), "unread");
}

#[tokio::test]
async fn a_replay_is_complete_in_order_and_longer_than_a_page_and_than_the_queue() {
    let site = Site { outbound_limit: Some(4_000), ..Site::new() };
    let ann = site.user("Ann", "Lee").await;
    let mut ids = Vec::new();
    for number in 0..450 {
        ids.push(notify(&site, &ann, &format!("Number {number}")).await);
    }
    let mut peer = connect(&site, &ann, Some(ids[9])).await;
    assert_eq!(replayed(&mut peer).await, ids[10..]);
    let mut none = connect(&site, &ann, Some(*ids.last().unwrap())).await;
    assert_eq!(replayed(&mut none).await, [] as [i64; 0]);
    let live = notify(&site, &ann, "Live").await;
    assert_eq!(peer.hear().await["notification"]["id"], live);
    assert_eq!(none.hear().await["notification"]["id"], live);
}

#[tokio::test]
async fn all_can_be_read_at_once() {
    let site = Site::new();
    let ann = site.user("Ann", "Lee").await;
    let ids = [notify(&site, &ann, "One").await, notify(&site, &ann, "Two").await];
    let mut peer = connect(&site, &ann, None).await;
    for expected in [2, 0] {
        let (notifications, user_id) = (Arc::clone(&site.notifications), ann.id);
        assert_eq!(site.write(move |tx| notifications.mark_all_read(tx, user_id)).await, expected);
    }
    for id in ids {
        let told: Value = json!({"type": "notification_read", "notification_id": id});
        assert_eq!(peer.hear().await, told);
    }
}

/// The ledger of a notification: the types of its steps.
async fn steps(site: &Site, id: i64) -> Vec<DeliveryStepKind> {
    let notifications = Arc::clone(&site.notifications);
    let steps = site.write(move |tx| notifications.delivery_steps(tx, id)).await.unwrap();
    assert!(steps.is_sorted_by_key(|step| step.at), "{steps:?}");
    steps.into_iter().map(|step| step.kind).collect()
}

#[tokio::test]
async fn the_ledger_knows_what_was_stored_written_confirmed_and_read() {
    let site = Site::new();
    let ann = site.user("Ann", "Lee").await;
    let (mut device, mut silent) = (connect(&site, &ann, None).await, connect(&site, &ann, None).await);
    let ids = [notify(&site, &ann, "One").await, notify(&site, &ann, "Two").await, notify(&site, &ann, "Three").await];
    for _ in ids {
        device.hear().await;
        silent.hear().await;
    }
    assert_eq!(steps(&site, ids[2]).await, [Stored]);
    silent.hang_up().await;
    assert_eq!(steps(&site, ids[2]).await, [Stored, Written]);
    device.pong().await;
    assert_eq!(steps(&site, ids[0]).await, [Stored, Written, Confirmed]);
    assert_eq!(steps(&site, ids[2]).await, [Stored, Written], "only the first was asked for");
    device.pong().await;
    assert_eq!(steps(&site, ids[1]).await, [Stored, Written, Confirmed]);
    device.say(json!({"type": "mark_as_read", "notification_id": ids[2]})).await;
    assert_eq!(steps(&site, ids[2]).await, [Stored, Written, Confirmed, Read]);
}

#[tokio::test]
async fn a_replay_is_confirmed_and_what_the_device_had_is_not_told_again() {
    let site = Site::new();
    let ann = site.user("Ann", "Lee").await;
    let ids = [notify(&site, &ann, "One").await, notify(&site, &ann, "Two").await, notify(&site, &ann, "Three").await];
    let mut peer = connect(&site, &ann, Some(ids[0])).await;
    assert_eq!(replayed(&mut peer).await, ids[1..]);
    peer.pong().await;
    peer.pong().await;
    assert_eq!(steps(&site, ids[0]).await, [Stored]);
    for id in &ids[1..] {
        assert_eq!(steps(&site, *id).await, [Stored, Written, Confirmed]);
    }
}

#[tokio::test]
async fn what_a_connection_had_no_room_for_was_not_written() {
    let site = Site { outbound_limit: Some(1), ..Site::new() };
    let ann = site.user("Ann", "Lee").await;
    let mut peer = connect(&site, &ann, None).await;
    let (fits, lost) = (notify(&site, &ann, "Fits").await, notify(&site, &ann, "Lost").await);
    assert_eq!(peer.closed().await, 4410);
    peer.hang_up().await;
    assert_eq!(steps(&site, fits).await, [Stored, Written]);
    assert_eq!(steps(&site, lost).await, [Stored]);
}
