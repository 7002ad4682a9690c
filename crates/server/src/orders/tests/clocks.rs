//! Nodes whose clocks are wrong.

use std::{sync::Arc, time::Duration};

use holodrive_protocol::{
    OrderId,
    OrderStatus::{Pending, Searching},
    Timestamp,
};
use tokio::time::{sleep, timeout};

use super::town::{Town, write};
use crate::{
    clock::{Clock, SystemClock},
    orders::{OrderRecord, Orders, service::load_order, store},
    storage::{Dialect, Tx},
};

const HOUR: i64 = 3_600_000_000;

struct Wrong(i64);

impl Clock for Wrong {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(SystemClock.now().as_micros() + self.0)
    }
}

async fn read(orders: &Arc<Orders>, id: OrderId) -> OrderRecord {
    write(orders, move |_, tx| load_order(tx, id)).await.unwrap()
}

/// When the entries of these types were made.
async fn times(orders: &Arc<Orders>, id: OrderId, kinds: [&str; 2]) -> [Timestamp; 2] {
    let events = write(orders, move |_, tx: &mut Tx<'_>| Ok(store::events(tx, id, 0, i64::MAX)?)).await.unwrap();
    kinds.map(|kind| events.iter().find(|(_, event)| event.kind == kind).unwrap().1.at)
}

/// SQLite has no clock of its own, so the nodes on it are wrong by the same.
#[tokio::test]
async fn a_node_whose_clock_is_an_hour_ahead_ends_what_has_run_out_and_nothing_else() {
    let town = Town::new(&[]).await;
    let (slow, quick, staff) = (town.driver("slow").await, town.driver("quick").await, town.staff.id);
    let dialect = town.write(|_, tx| Ok(tx.dialect())).await.unwrap();
    let behind = if dialect == Dialect::Postgres { -HOUR } else { HOUR };
    let settings = [("DISPATCH_MODE", "manual"), ("ORDER_OFFER_UNREACHABLE_TIMEOUT", "0")];
    let long = town.another_node(Arc::new(Wrong(behind)), &settings).await;
    let short = [&settings[..], &[("ORDER_OFFER_TIMEOUT", "0.2")]].concat();
    let short = town.another_node(Arc::new(Wrong(HOUR)), &short).await;

    let new = town.request();
    let offered = async |on: &Arc<Orders>, driver| {
        let new = new.clone();
        let made = write(on, move |orders, tx| {
            let order = orders.create(tx, &new)?;
            orders.assign(tx, order.id, driver, Some(staff))
        });
        made.await.unwrap().id
    };
    let (lasting, brief) = (offered(&long, slow.id).await, offered(&short, quick.id).await);
    let dispatching = tokio::spawn(Arc::clone(&short).dispatch_for_ever());
    let ended = async {
        while read(&short, brief).await.status != Searching {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(60), ended).await.expect("the offer ends");
    dispatching.abort();

    let [from, to] = times(&short, brief, ["offered", "offer_expired"]).await;
    let lasted = to.as_micros() - from.as_micros();
    assert!((200_000..HOUR / 2).contains(&lasted), "it lasted {lasted} µs");
    let order = read(&short, lasting).await;
    assert_eq!(order.status, Pending, "the other one has minutes left");
    let remaining = short.view(&order).with_remaining(short.storage.clock().now()).remaining_ms.unwrap();
    assert!((1..=300_000).contains(&remaining), "{remaining} ms remain");
}
