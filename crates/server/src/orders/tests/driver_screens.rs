//! What drivers are told, against what was published for them and what the database holds.

use std::collections::BTreeSet;

use holodrive_protocol::{OrderId, OrderStatus::Completed, UserId};
use serde_json::{Value, json};

use super::{
    super::{
        events::{DriverEvent, DriverEventKind},
        store,
    },
    scene::Visit,
    screen::{Screen, order_of},
    town::Town,
};
use crate::storage::Row;

pub(super) async fn check(town: &Town, driver: UserId, log: &[DriverEvent], visits: impl Iterator<Item = &Visit>) {
    check_log(town, driver, log).await;
    let published: Vec<Value> = log.iter().map(|event| message(&event.kind)).collect();
    let offers = town.write(move |_, tx| Ok(store::offered_to(tx, driver)?)).await.unwrap();
    let offers: BTreeSet<OrderId> = offers.into_iter().map(|order| order.id).collect();
    let trip = town.write(move |_, tx| Ok(store::trip_of(tx, driver)?)).await.unwrap().map(|order| order.id);
    for visit in visits {
        let screen = check_visit(visit, &published);
        if visit.is_complete {
            assert_eq!(screen.shown, offers, "{:#?}", visit.told);
            assert_eq!(unfinished(town, driver, screen.trip).await, trip, "{:#?}", visit.told);
        }
    }
}

/// Each offer of the table was published once, and its end once, in the order of the history.
async fn check_log(town: &Town, driver: UserId, log: &[DriverEvent]) {
    assert!(log.is_sorted_by(|one, next| one.seq < next.seq), "{log:#?}");
    let ids = async |condition: &str| -> Vec<i64> {
        let sql = format!("SELECT id FROM holodrive_offer WHERE {condition} AND driver_id = $1 ORDER BY id");
        let rows = town.write(move |_, tx| Ok(tx.query(&sql, &[driver.into()])?)).await.unwrap();
        rows.into_iter().map(Row::first).collect::<Result<_, _>>().unwrap()
    };
    let (mut offered, mut ended) = (Vec::new(), Vec::new());
    for event in log {
        match &event.kind {
            DriverEventKind::Offered { offer_id, .. } => offered.push(*offer_id),
            DriverEventKind::Accepted { offer_id, .. } | DriverEventKind::Ended { offer_id, .. } => {
                ended.push(*offer_id);
            }
            DriverEventKind::TripCancelled { .. } => {}
        }
    }
    ended.sort_unstable();
    assert_eq!((offered, ended), (ids("TRUE").await, ids("state <> 'live'").await));
}

/// What a connection is told of an event, in short.
fn message(kind: &DriverEventKind) -> Value {
    match kind {
        DriverEventKind::Offered { order, .. } => json!({"type": "new_order", "order_id": order.id}),
        DriverEventKind::Accepted { order, .. } => json!({"type": "order_accepted", "order_id": order.id}),
        DriverEventKind::Ended { message, .. } | DriverEventKind::TripCancelled { message } => {
            in_short(&serde_json::to_value(message).unwrap()).unwrap()
        }
    }
}

/// The type of a message and its order; nothing of a refusal. To whom declines, the end of the offer has another name.
fn in_short(message: &Value) -> Option<Value> {
    match message["type"].as_str().unwrap() {
        "error" => None,
        "order_declined" => Some(json!({"type": "order_timeout", "order_id": order_of(message)})),
        kind => Some(json!({"type": kind, "order_id": order_of(message)})),
    }
}

/// A connection shows how it stood at some moment, and then is told what was published since; gives what it shows.
fn check_visit(visit: &Visit, log: &[Value]) -> Screen {
    let is_snapshot = |message: &&Value| {
        matches!(
            message["type"].as_str().unwrap(),
            "connection_established" | "initial_orders" | "active_ride_snapshot"
        )
    };
    let snapshot: Vec<_> = visit.told.iter().take_while(is_snapshot).collect();
    let news: Vec<Value> = visit.told[snapshot.len()..].iter().filter_map(in_short).collect();
    let mut screen = Screen::default();
    for message in &snapshot {
        screen.take(message);
    }
    let shows_orders = snapshot.len() > 1;
    assert!(!shows_orders || follows(&screen, &news, log, visit.is_complete), "{:#?}\n{log:#?}", visit.told);
    for message in &news {
        screen.take(message);
    }
    screen
}

fn follows(snapshot: &Screen, news: &[Value], log: &[Value], to_the_end: bool) -> bool {
    let mut before = Screen::default();
    (0..=log.len()).any(|position| {
        if position > 0 {
            before.take(&log[position - 1]);
        }
        // What a driver ends himself is not told, so he may drive nothing any more.
        let same = before.shown == snapshot.shown && (snapshot.trip.is_none() || before.trip == snapshot.trip);
        same && if to_the_end { log[position..] == *news } else { log[position..].starts_with(news) }
    })
}

/// The trip, unless the driver has given it back or completed it.
async fn unfinished(town: &Town, driver: UserId, trip: Option<OrderId>) -> Option<OrderId> {
    let order = town.order(trip?).await;
    (order.driver_id == Some(driver) && order.status != Completed).then_some(order.id)
}
