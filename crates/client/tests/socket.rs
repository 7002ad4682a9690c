//! Sockets against a real WebSocket server that misbehaves on command.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::{sync::Mutex, time::Duration};

use futures_util::{SinkExt, StreamExt};
use holodrive_client::{Api, EndReason, Error, Event, NotificationsSocket, SendError, TokenFuture, TokenSource};
use holodrive_protocol::notifications::{NotificationsClientMessage, NotificationsServerMessage};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{Request, Response},
        protocol::CloseFrame,
    },
};

struct Server(TcpListener);

/// One accepted connection, and what its handshake said.
struct Peer {
    stream: WebSocketStream<TcpStream>,
    target: String,
    authorization: String,
}

impl Server {
    async fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn api(&self) -> holodrive_client::ApiBuilder {
        Api::builder(format!("http://{}", self.0.local_addr().unwrap())).token("t1")
    }

    fn socket(&self) -> NotificationsSocket {
        let short = Duration::from_millis(1);
        self.api().build().unwrap().notifications().backoff(short, short).jitter_seed(1).connect()
    }

    async fn accept(&self) -> Peer {
        let (stream, _) = self.0.accept().await.unwrap();
        let (mut target, mut authorization) = (String::new(), String::new());
        #[expect(clippy::result_large_err, reason = "the callback's type is given")]
        let read = |request: &Request, response: Response| {
            target = request.uri().to_string();
            request.headers()["authorization"].to_str().unwrap().clone_into(&mut authorization);
            Ok(response)
        };
        let stream = accept_hdr_async(stream, read).await.unwrap();
        Peer { stream, target, authorization }
    }

    async fn accept_established(&self) -> Peer {
        let mut peer = self.accept().await;
        peer.say(json!({"type": "connection_established", "message": "Connected to notifications", "user_id": "1"}))
            .await;
        peer
    }
}

impl Peer {
    async fn say(&mut self, message: Value) {
        self.stream.send(Message::text(message.to_string())).await.unwrap();
    }

    async fn notify(&mut self, id: i64) {
        let notification = json!({
            "id": id, "title": "t", "message": "m", "notification_type": "x", "related_object_type": null,
            "related_object_id": null, "data": {}, "created_at": "2025-11-22T13:15:22+00:00", "status": "unread",
        });
        self.say(json!({"type": "notification", "notification": notification})).await;
    }

    async fn hear(&mut self) -> Value {
        let text = self.stream.next().await.unwrap().unwrap();
        serde_json::from_str(text.to_text().unwrap()).unwrap()
    }

    async fn refuse(mut self, close: u16, code: &str, reconnect: bool, retry_after_ms: u64) {
        let message = json!({
            "type": "error", "code": code, "message": "why", "reconnect": reconnect, "retry_after_ms": retry_after_ms,
        });
        self.say(message).await;
        let frame = CloseFrame { code: close.into(), reason: "".into() };
        self.stream.close(Some(frame)).await.unwrap();
        while self.stream.next().await.is_some() {}
    }
}

/// What an event is about, short enough to compare.
fn brief(event: Event<NotificationsServerMessage>) -> String {
    match event {
        Event::Connected { resumed } => format!("connected resumed={resumed}"),
        Event::Message(NotificationsServerMessage::Notification { notification }) => notification.id.to_string(),
        Event::Message(_) => "message".to_owned(),
        Event::Resumed { count } => format!("resumed {count}"),
        Event::Refused(error) => format!("refused {:?}", error.code),
        Event::Disconnected { .. } => "disconnected".to_owned(),
        Event::Ended(reason) => format!("ended: {reason}"),
    }
}

async fn expect(socket: &mut NotificationsSocket, events: &[&str]) {
    for expected in events {
        assert_eq!(brief(socket.next().await), *expected);
    }
}

#[tokio::test]
async fn a_lost_connection_is_resumed_and_nothing_comes_twice() {
    let server = Server::start().await;
    let mut socket = server.socket();

    let mut first = server.accept_established().await;
    assert_eq!((&*first.target, &*first.authorization), ("/ws/notifications/", "Bearer t1"));
    first.notify(5).await;
    first.notify(9).await;
    expect(&mut socket, &["connected resumed=false", "message", "5", "9"]).await;
    drop(first);
    expect(&mut socket, &["disconnected"]).await;

    let mut second = server.accept_established().await;
    assert_eq!(second.target, "/ws/notifications/?since=9");
    second.notify(9).await;
    second.notify(10).await;
    second.say(json!({"type": "resumed", "count": 2})).await;
    second.notify(10).await;
    second.notify(11).await;
    expect(&mut socket, &["connected resumed=true", "message", "10", "resumed 2", "11"]).await;
}

#[tokio::test]
async fn a_hundred_losses_lose_and_repeat_nothing() {
    let server = Server::start().await;
    let socket = server.api().build().unwrap().notifications().since(0);
    let mut socket = socket.backoff(Duration::from_millis(1), Duration::from_millis(1)).connect();
    // Each connection repeats the message before, tells at most three new ones, and is cut without a goodbye.
    let serving = tokio::spawn(async move {
        loop {
            let mut peer = server.accept_established().await;
            let since: i64 = peer.target.split_once("since=").unwrap().1.parse().unwrap();
            for id in since.max(1)..=since + 3 {
                peer.notify(id).await;
            }
        }
    });
    let mut losses = 0;
    let mut seen = Vec::new();
    while losses < 100 || seen.len() < 100 {
        match socket.next().await {
            Event::Message(NotificationsServerMessage::Notification { notification }) => seen.push(notification.id),
            Event::Disconnected { .. } => losses += 1,
            Event::Ended(reason) => panic!("{reason}"),
            _ => {}
        }
    }
    serving.abort();
    assert!(seen.iter().copied().eq(1..=i64::try_from(seen.len()).unwrap()), "{seen:?}");
}

/// Gives `t1`, and after its refusal `t2`, and so on; remembers what was refused.
#[derive(Default)]
struct Counting(Mutex<Vec<String>>);

impl TokenSource for &'static Counting {
    fn token<'a>(&'a self, rejected: Option<&'a str>) -> TokenFuture<'a> {
        let mut refused = self.0.lock().unwrap();
        refused.extend(rejected.map(str::to_owned));
        let token = Ok(format!("t{}", refused.len() + 1));
        Box::pin(async { token })
    }
}

fn counting() -> &'static Counting {
    Box::leak(Box::default())
}

#[tokio::test]
async fn a_refused_token_is_replaced_and_a_second_refusal_ends() {
    let server = Server::start().await;
    let api = server.api().token_source(counting()).build().unwrap();
    let mut socket = api.notifications().connect();

    server.accept_established().await.refuse(4401, "token_expired", true, 1).await;
    expect(&mut socket, &["connected resumed=false", "message", "disconnected"]).await;
    let renewed = server.accept_established().await;
    assert_eq!(renewed.authorization, "Bearer t2");
    expect(&mut socket, &["connected resumed=false", "message"]).await;

    renewed.refuse(4401, "unauthorized", false, 1).await;
    let third = server.accept().await;
    assert_eq!(third.authorization, "Bearer t3");
    third.refuse(4401, "unauthorized", false, 1).await;
    expect(&mut socket, &["disconnected", "ended: unauthorized: why", "ended: unauthorized: why"]).await;
}

#[tokio::test]
async fn a_fixed_token_that_is_refused_ends_the_socket() {
    let server = Server::start().await;
    let mut socket = server.socket();
    server.accept().await.refuse(4401, "unauthorized", false, 1).await;
    expect(&mut socket, &["disconnected"]).await;
    assert_eq!(socket.next().await, Event::Ended(EndReason::Unauthorized(Error::TokenRejected.to_string())));
    assert_eq!(socket.send(&NotificationsClientMessage::MarkAsRead { notification_id: 1 }), Err(SendError::Ended));
}

#[tokio::test]
async fn forbidden_and_unwanted_clients_stay_away() {
    for (close, code, reason) in [
        (4403, "forbidden", EndReason::Forbidden("why".into())),
        (4429, "rate_limited", EndReason::Refused("why".into())),
    ] {
        let server = Server::start().await;
        let mut socket = server.socket();
        server.accept().await.refuse(close, code, false, 1).await;
        assert_eq!(socket.next().await, Event::Ended(reason));
    }
}

#[tokio::test]
async fn the_wait_that_the_server_asks_for_is_kept() {
    let server = Server::start().await;
    let mut socket = server.socket();
    server.accept_established().await.refuse(1001, "going_away", true, 77).await;
    expect(&mut socket, &["connected resumed=false", "message"]).await;
    let wait = Duration::from_millis(77);
    assert_eq!(socket.next().await, Event::Disconnected { cause: "why".into(), retry_in: wait });
    server.accept_established().await;
    expect(&mut socket, &["connected resumed=false"]).await;
}

#[tokio::test]
async fn an_expiring_token_is_replaced_on_the_live_connection() {
    let server = Server::start().await;
    let tokens = counting();
    let mut socket = server.api().token_source(tokens).build().unwrap().notifications().connect();
    let mut peer = server.accept_established().await;
    peer.say(json!({"type": "token_expiring", "expires_at": "2025-11-22T13:15:22+00:00"})).await;
    assert_eq!(peer.hear().await, json!({"type": "authenticate", "token": "t2"}));
    assert_eq!(*tokens.0.lock().unwrap(), ["t1"]);
    peer.say(json!({"type": "authenticated", "expires_at": null})).await;
    peer.notify(1).await;
    expect(&mut socket, &["connected resumed=false", "message", "1"]).await;
}

#[tokio::test]
async fn messages_wait_for_the_server_to_let_the_client_in() {
    let server = Server::start().await;
    let mut socket = server.socket();
    socket.send(&NotificationsClientMessage::MarkAsRead { notification_id: 7 }).unwrap();
    server.accept().await.refuse(1001, "going_away", true, 1).await;
    expect(&mut socket, &["disconnected"]).await;
    let mut peer = server.accept_established().await;
    assert_eq!(peer.hear().await, json!({"type": "mark_as_read", "notification_id": 7}));
    peer.say(json!({"type": "error", "code": "not_found", "message": "no such notification"})).await;
    peer.say(json!({"type": "of a later version"})).await;
    peer.notify(8).await;
    expect(&mut socket, &["connected resumed=false", "message", "refused NotFound", "8"]).await;
}

#[tokio::test]
async fn the_outbox_is_bounded() {
    let server = Server::start().await;
    let socket = server.socket();
    let message = NotificationsClientMessage::MarkAsRead { notification_id: 1 };
    let first_failure = (0..10_000).find_map(|_| socket.send(&message).err());
    assert_eq!(first_failure, Some(SendError::Full));
}

#[tokio::test]
async fn closing_sends_what_is_queued_and_says_goodbye() {
    let server = Server::start().await;
    let mut socket = server.socket();
    let mut peer = server.accept_established().await;
    expect(&mut socket, &["connected resumed=false", "message"]).await;
    socket.send(&NotificationsClientMessage::MarkAsRead { notification_id: 3 }).unwrap();
    let closing = tokio::spawn(socket.close());
    assert_eq!(peer.hear().await, json!({"type": "mark_as_read", "notification_id": 3}));
    let Message::Close(Some(frame)) = peer.stream.next().await.unwrap().unwrap() else { panic!("no close frame") };
    assert_eq!(u16::from(frame.code), 1000);
    while peer.stream.next().await.is_some() {}
    closing.await.unwrap();
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let server = Server::start().await;
    let socket = server.api().build().unwrap().notifications().keep_alive(Some(Duration::from_millis(200)));
    let mut socket = socket.backoff(Duration::from_millis(1), Duration::from_millis(1)).connect();
    let mut silent = server.accept_established().await;
    assert_eq!(silent.hear().await, json!({"type": "ping"}));
    expect(&mut socket, &["connected resumed=false", "message", "disconnected"]).await;
    server.accept_established().await;
    expect(&mut socket, &["connected resumed=false"]).await;
}
