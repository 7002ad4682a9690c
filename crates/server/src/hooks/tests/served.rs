//! Messages of a back end on real sockets.

use holodrive_client::Event;
use holodrive_protocol::chat::{ChatClientMessage, ChatServerMessage};
use serde_json::json;

use super::{site::start, *};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_goes_by_the_back_end_to_all_sockets() {
    let django = Django::start().await;
    django.always("chat_access", 200, json!({"allowed": [true]}));
    django.always("chat_message", 200, json!({"message_id": 512}));
    let site = start(&django, "chat_access,chat_message").await;
    let mut sockets = [site.api.chat(77).connect(), site.api.chat(77).connect()];
    for socket in &mut sockets {
        assert_eq!(socket.next().await, Event::Connected { resumed: false });
        let first = socket.next().await;
        assert!(matches!(first, Event::Message(ChatServerMessage::ConnectionEstablished { .. })), "{first:?}");
    }
    let message = ChatClientMessage::ChatMessage { message: "Hi".to_owned(), client_id: None };
    sockets[0].send(&message).unwrap();
    for socket in &mut sockets {
        let Event::Message(ChatServerMessage::ChatMessage(message)) = socket.next().await else { panic!("no message") };
        assert_eq!((message.message_id, message.message.as_str()), (512, "Hi"));
    }
    site.server.stop().await;
}
