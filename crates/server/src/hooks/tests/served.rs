//! Messages of a back end on real sockets, and on several servers.

use std::time::Duration;

use holodrive_client::{Api, ChatSocket, Event};
use holodrive_protocol::chat::{ChatClientMessage, ChatServerMessage};
use serde_json::json;

use super::{site::start, *};
use crate::hooks::testing::reply;

/// After this long without the message that a test waits for, the test has failed.
const PATIENCE: Duration = Duration::from_secs(20);

async fn connect(api: &Api) -> ChatSocket {
    let mut socket = api.chat(77).connect();
    assert_eq!(socket.next().await, Event::Connected { resumed: false });
    let first = socket.next().await;
    assert!(matches!(first, Event::Message(ChatServerMessage::ConnectionEstablished { .. })), "{first:?}");
    socket
}

fn say(socket: &ChatSocket, client_id: &str) {
    let client_id = Some(client_id.to_owned());
    socket.send(&ChatClientMessage::ChatMessage { message: "Hi".to_owned(), client_id }).unwrap();
}

async fn hear(socket: &mut ChatSocket) -> i64 {
    let next = tokio::time::timeout(PATIENCE, socket.next()).await.expect("the message does not come");
    match next {
        Event::Message(ChatServerMessage::ChatMessage(message)) => message.message_id,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_goes_by_the_back_end_to_all_sockets_of_all_servers() {
    let django = Django::start().await;
    django.always("chat_access", 200, json!({"allowed": [true]}));
    django.on("chat_message", |asked, _| async move {
        reply(200, &json!({"message_id": if asked.data()["client_id"] == "a" { 500 } else { 501 }}))
    });
    let site = start(&django, "chat_access,chat_message").await;
    let (server, api) = site.start_beside().await;
    let mut sockets = [connect(&site.api).await, connect(&site.api).await, connect(&api).await];
    say(&sockets[0], "a");
    for socket in &mut sockets {
        assert_eq!(hear(socket).await, 500);
    }
    // Sent again to the other server, it is told to its sender alone. Clients pass over what they have heard before.
    let (mut again, mut witness) = (connect(&api).await, connect(&site.api).await);
    say(&again, "a");
    assert_eq!(hear(&mut again).await, 500);
    say(&again, "b");
    for socket in sockets.iter_mut().chain([&mut again, &mut witness]) {
        assert_eq!(hear(socket).await, 501);
    }
    server.stop().await;
    site.server.stop().await;
}
