use std::sync::Arc;

use prometheus_client::metrics::gauge::Gauge;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{
    Backend,
    codec::{Codec, Event},
    groups::Groups,
    redis::{Host, PubSub},
};
use crate::{
    clock::SystemClock,
    config::{Config, Secret},
    gateway::{Connection, testing::Peer},
    telemetry::Metrics,
    testing::Site,
};

/// What the real `channels_redis` wrote, and how it judges names.
pub(super) fn vectors() -> Value {
    let all: Value = serde_json::from_str(include_str!("../../tests/data/django_vectors.json")).unwrap();
    all["channel_layer"].clone()
}

fn config(settings: &[(&str, &str)]) -> Config {
    Config::for_tests(tempfile::tempdir().unwrap().path(), settings).unwrap()
}

fn event(value: &Value) -> Event {
    let config = config(&[("CHANNEL_LAYER_BACKEND", "pubsub"), ("CHANNEL_LAYER_SERIALIZER", "json")]);
    Codec::new(&config, Arc::new(SystemClock)).decode(value.to_string().as_bytes()).unwrap().event
}

async fn peer(site: &Site, name: &str) -> Peer {
    let user = site.user(name, "Valiyev").await;
    let mut peer = site.notifications(&user, None).await;
    peer.hear_type("connection_established").await;
    peer
}

fn enter(groups: &Arc<Groups>, connection: &Arc<Connection>) -> super::Seat {
    groups.enter("g".to_owned(), "g".into(), connection).0
}

#[tokio::test]
async fn an_event_reaches_the_members_of_its_group_and_nobody_else() {
    let (site, groups) = (Site::new(), Groups::new(Gauge::default()));
    let (mut one, mut two, mut other) =
        (peer(&site, "One").await, peer(&site, "Two").await, peer(&site, "Other").await);
    let seats = [&one, &two].map(|peer| enter(&groups, &peer.connection));
    let _elsewhere = groups.enter("h".to_owned(), "h".into(), &other.connection);
    let told = json!({"type": "ride.update", "ride_id": 42});
    groups.send("g", &event(&told));
    groups.send("nobody", &event(&told));
    assert_eq!((one.heard(), two.heard(), other.heard()), (vec![told.clone()], vec![told.clone()], vec![]));
    drop(seats);
    groups.send("g", &event(&told));
    assert_eq!((one.heard(), two.heard()), (vec![], vec![]));
}

#[tokio::test]
async fn whoever_comes_waits_until_redis_knows_the_group_or_cannot() {
    let (site, groups) = (Site::new(), Groups::new(Gauge::default()));
    let peer = peer(&site, "One").await;
    let (_first, joined) = groups.enter("g".to_owned(), "g".into(), &peer.connection);
    let (_second, later) = groups.enter("g".to_owned(), "g".into(), &peer.connection);
    let entered = groups.attend();
    assert_eq!(entered.len(), 1);
    entered[0].joined();
    assert!(joined.unwrap().await.is_err() && later.unwrap().await.is_err(), "the senders are gone");
    assert!(groups.enter("g".to_owned(), "g".into(), &peer.connection).1.is_none(), "Redis knows it");
    let (_new, joined) = groups.enter("h".to_owned(), "h".into(), &peer.connection);
    assert_eq!(groups.entered().await.len(), 1);
    groups.neglect();
    assert!(joined.unwrap().await.is_err());
    assert!(groups.enter("i".to_owned(), "i".into(), &peer.connection).1.is_none(), "nobody could tell Redis");
    assert_eq!(groups.attend().len(), 3);
}

#[tokio::test]
async fn a_group_outlives_its_last_connection_for_a_while() {
    let (site, gauge) = (Site::new(), Gauge::default());
    let groups = Groups::new(gauge.clone());
    let peer = peer(&site, "One").await;
    drop(enter(&groups, &peer.connection));
    assert!(groups.sweep().is_empty());
    let back = enter(&groups, &peer.connection);
    assert!(groups.sweep().is_empty(), "somebody came back");
    (0..100).for_each(|_| drop(enter(&groups, &peer.connection)));
    drop(back);
    assert!(groups.sweep().is_empty());
    assert_eq!((groups.sweep().len(), gauge.get()), (1, 0));
    assert!(groups.attend().is_empty());
}

#[tokio::test]
async fn events_obey_the_limits_of_a_connection() {
    let (mut site, groups) = (Site::new(), Groups::new(Gauge::default()));
    site.outbound_limit = Some(1_000);
    let (mut typist, mut slow) = (peer(&site, "Typist").await, peer(&site, "Slow").await);
    let _seats = [&typist, &slow].map(|peer| enter(&groups, &peer.connection));
    for number in 0..100 {
        groups.send("g", &event(&json!({"type": "typing_indicator", "user_id": 5, "number": number})));
    }
    assert_eq!(typist.heard(), [json!({"type": "typing", "user_id": 5, "number": 99})]);
    for number in 0..100 {
        groups.send("g", &event(&json!({"type": "ride.update", "number": number})));
    }
    assert_eq!(slow.closed().await, 4410);
}

/// The first thing that fails without a provider of cryptography is the handshake, and it would panic.
#[tokio::test]
async fn a_server_that_speaks_no_tls_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Secret::new(format!("rediss://:hunter2@{}", listener.local_addr().unwrap()));
    let layer = super::ChannelLayer::new(
        &config(&[("CHANNEL_LAYER_URL", url.expose()), ("CHANNEL_LAYER_BACKEND", "pubsub")]),
        &Arc::new(Metrics::new()),
        &(Arc::new(SystemClock) as _),
    );
    let inward = Arc::clone(&layer.unwrap().unwrap().links[0].inward);
    let host = Host::new(&url, Backend::Pubsub).unwrap();
    let hang_up = async { drop(listener.accept().await) };
    let ((), connected) = tokio::join!(hang_up, PubSub::connect(&host, inward));
    assert!(!connected.err().unwrap().to_string().contains("hunter2"));
}

#[test]
fn names_that_django_refuses_stop_the_start() {
    let build = |backend: &str, groups: &str| {
        let config = config(&[
            ("CHANNEL_LAYER_URL", "redis://127.0.0.1"),
            ("CHANNEL_LAYER_BACKEND", backend),
            ("CHANNEL_LAYER_GROUPS", groups),
        ]);
        super::ChannelLayer::new(&config, &Arc::new(Metrics::new()), &(Arc::new(SystemClock) as _)).map(|_| ())
    };
    assert!(build("core", "chat=chat:{id}").unwrap_err().to_string().starts_with("CHANNEL_LAYER_GROUPS: \"chat:\""));
    assert!(build("core", &format!("chat={}", "x".repeat(70))).is_err());
    assert!(build("core", "chat=chat_{id}").is_ok());
    assert!(build("pubsub", "chat=chat:{id}").is_ok(), "this layer takes any name");
}
