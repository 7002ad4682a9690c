//! What the rider is told, against what was published for him and what the database holds.

use std::collections::{BTreeMap, HashMap};

use holodrive_protocol::OrderId;
use serde_json::Value;

use super::{
    super::{events::RiderEvent, store},
    invariants::Stand,
    scene::Visit,
    town::Town,
};
use crate::{gateway::testing::message_of, storage::Row};

/// The open orders as a screen shows them.
type Screen = BTreeMap<OrderId, Value>;

pub(super) async fn check(town: &Town, log: &[RiderEvent], visits: impl Iterator<Item = &Visit>) {
    let updates: Vec<Value> = log.iter().map(order_of).collect();
    check_log(town, log, &updates).await;
    let rider = town.rider.id;
    let open = town.write(move |_, tx| Ok(store::open_of_rider(tx, rider)?)).await.unwrap();
    let open = screen(open.iter().map(|order| serde_json::to_value(town.orders.view(order)).unwrap()));
    for visit in visits {
        let [_, initial, news @ ..] = &visit.told[..] else { continue };
        let mut screen = screen(initial["orders"].as_array().unwrap().iter().cloned());
        let news: Vec<_> = news.iter().map(|message| message["order"].clone()).collect();
        assert!(follows(&screen, &news, &updates, visit.is_complete), "{:#?}\n{updates:#?}", visit.told);
        for order in &news {
            take(&mut screen, order);
        }
        assert!(!visit.is_complete || screen == open, "{screen:#?}\n{open:#?}");
    }
}

fn order_of(event: &RiderEvent) -> Value {
    message_of(&event.frame)["order"].take()
}

fn id_of(order: &Value) -> OrderId {
    order["id"].as_i64().unwrap()
}

fn screen(orders: impl Iterator<Item = Value>) -> Screen {
    orders.map(|order| (id_of(&order), order)).collect()
}

fn take(screen: &mut Screen, order: &Value) {
    if matches!(order["status"].as_str().unwrap(), "completed" | "cancelled" | "no_driver") {
        screen.remove(&id_of(order));
    } else {
        screen.insert(id_of(order), order.clone());
    }
}

/// Each update comes from an entry of the history, in its order, and tells how the order stood then. Of the entries, only
/// those have none that do not change how it stands, or that another one of the same transaction follows.
async fn check_log(town: &Town, log: &[RiderEvent], updates: &[Value]) {
    assert!(log.is_sorted_by(|one, next| one.seq < next.seq), "{log:#?}");
    let sql = "SELECT id, order_id, type FROM holodrive_order_event ORDER BY id";
    let rows = town.write(move |_, tx| Ok(tx.query(sql, &[])?)).await.unwrap();
    let mut untold: BTreeMap<i64, (OrderId, String, &str)> = BTreeMap::new();
    let mut stands: HashMap<OrderId, Stand> = HashMap::new();
    for mut row in rows.into_iter().map(Row::columns) {
        let (seq, id, kind): (_, OrderId, String) = (row.take().unwrap(), row.take().unwrap(), row.take().unwrap());
        let stand = stands.entry(id).or_default();
        *stand = stand.after(&kind).unwrap();
        untold.insert(seq, (id, kind, stand.status));
    }
    for (event, order) in log.iter().zip(updates) {
        let (id, _, status) = untold.remove(&event.seq).unwrap();
        assert_eq!((id, status), (id_of(order), order["status"].as_str().unwrap()));
    }
    for (_, kind, _) in untold.values() {
        assert!(matches!(kind.as_str(), "delivered" | "offer_revoked" | "offer_expired"), "{kind} was not told");
    }
}

/// A connection shows how it stood at some moment, and then is told what was published since.
fn follows(snapshot: &Screen, news: &[Value], log: &[Value], to_the_end: bool) -> bool {
    let mut before = Screen::new();
    (0..=log.len()).any(|position| {
        if position > 0 {
            take(&mut before, &log[position - 1]);
        }
        before == *snapshot && if to_the_end { log[position..] == *news } else { log[position..].starts_with(news) }
    })
}
