//! A driver, and a server that says what the test wants.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use holodrive_protocol::{OrderStatus, UserId, driver::DriverServerMessage};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message};

use super::*;
use crate::{
    simulate::{
        demand::{Trip, point},
        moment::at,
        people::{Answer, tests::people},
    },
    socket::{Socket, now_micros},
};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

struct Peer(WebSocketStream<TcpStream>);

impl Peer {
    async fn tell(&mut self, message: &impl serde::Serialize) {
        self.0.send(Message::text(serde_json::to_string(message).unwrap())).await.unwrap();
    }

    async fn tell_kind(&mut self, kind: &str) {
        self.tell(&serde_json::json!({"type": kind})).await;
    }

    /// Answers pings until the driver says this, or leaves; tells whether he said it.
    async fn hear(&mut self, kind: &str) -> bool {
        while let Some(Ok(message)) = timeout(LONG, self.0.next()).await.unwrap() {
            let Message::Text(text) = message else { continue };
            if text.contains(kind) {
                return true;
            }
            if text.contains("\"ping\"") {
                self.tell_kind("pong").await;
            }
        }
        false
    }
}

/// A driver at work in a city of one trip, thousand times faster than reality.
async fn start(seed: u64, people: People) -> (Driver, Peer, Arc<City>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let accepting = async {
        let (stream, _) = listener.accept().await.unwrap();
        let mut peer = Peer(accept_async(stream).await.unwrap());
        peer.tell_kind("connection_established").await;
        peer
    };
    let (socket, peer) = tokio::join!(Socket::connect(&address, PATH, "token"), accepting);
    let here = point(41.3, 69.2).unwrap();
    let trip = Trip { requested_at: at(0), from: here, to: here };
    let city = Arc::new(City {
        scenario: Scenario::new(seed, vec![trip], 1, Duration::ZERO).unwrap(),
        people,
        mood: Mood::Human,
        pace: Pace::from_now(at(0), 1_000.0),
        api: Api::new(&address),
        address,
        record: Record::default(),
        search_timeout: LONG,
        longest: LONG,
    });
    let member = Member { id: UserId::Int(1), token: "token".to_owned() };
    (Driver::new(1, member, socket.unwrap(), Arc::clone(&city)), peer, city)
}

fn new_order() -> DriverServerMessage {
    DriverServerMessage::NewOrder { order: order(), message: String::new() }
}

fn order() -> Order {
    let (here, now) = (point(41.3, 69.2).unwrap(), Timestamp::from_micros(now_micros()));
    Order {
        id: 7,
        order_code: "ORD-000007".to_owned(),
        status: OrderStatus::Pending,
        order_type: "ride".to_owned(),
        created_at: now,
        pickup_at: None,
        vehicle_class: None,
        seats: None,
        address_from: address(0),
        address_to: String::new(),
        latitude_from: here.latitude,
        longitude_from: here.longitude,
        latitude_to: here.latitude,
        longitude_to: here.longitude,
        distance_to_pickup_km: None,
        eta_seconds: None,
        expires_at: Some(now.after(LONG)),
        remaining_ms: None,
        rider_id: UserId::Int(2),
        driver_id: None,
        conversation_id: None,
        pin: None,
    }
}

fn violations(city: &City) -> Vec<String> {
    city.record.outcome(&city.scenario, at(0)).violations.first
}

/// The city when work has ended after these messages.
async fn city_after(messages: &[DriverServerMessage]) -> Arc<City> {
    let silent = people(&["--accept", "0", "--decline", "0", "--unreachable", "0", "--outages-per-hour", "0"]);
    let (driver, mut peer, city) = start(1, silent).await;
    for message in messages {
        peer.tell(message).await;
    }
    let (stop, stopped) = watch::channel(());
    stop.send(()).unwrap();
    let (worked, _) = tokio::join!(driver.work(stopped), peer.hear("nothing"));
    worked.unwrap();
    city
}

#[tokio::test]
async fn who_is_never_told_how_his_offer_ended_is_noticed() {
    let ended = DriverServerMessage::OrderTimeout { order_id: 7, message: String::new() };
    let told_the_end = city_after(&[new_order(), ended]).await;
    assert_eq!(violations(&told_the_end), Vec::<String>::new());
    let told = ["driver 1 was never told how his offer of order 7 ended"];
    let never_told = city_after(&[new_order()]).await;
    assert_eq!(violations(&never_told), told);
}

#[tokio::test]
async fn who_was_given_an_order_while_his_connection_was_lost_drives_it_once() {
    let snapshot = || DriverServerMessage::ActiveRideSnapshot { order: order() };
    let city = city_after(&[snapshot(), snapshot()]).await;
    assert_eq!((city.record.driving(), violations(&city)), (1, Vec::new()));
}

#[tokio::test]
async fn an_offer_that_did_not_get_to_the_phone_is_shown_once_the_phone_is_back() {
    let people = people(&["--outages-per-hour", "0"]);
    let answer = |seed, time| people.answer(seed, 1, 1, time, Mood::Human);
    let is_lost_first =
        |seed: &u64| answer(*seed, 1) == Answer::Unreachable && matches!(answer(*seed, 2), Answer::Accept(_));
    let seed = (1..10_000).find(is_lost_first).unwrap();
    let (driver, mut peer, city) = start(seed, people).await;
    peer.tell(&new_order()).await;
    let (_stop, stopped) = watch::channel(());
    let working = tokio::spawn(driver.work(stopped));
    assert!(peer.hear("accept_order").await);
    working.abort();
    assert_eq!(violations(&city), Vec::<String>::new());
}
