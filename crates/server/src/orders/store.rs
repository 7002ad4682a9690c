//! Reading orders, and inserting them. What changes them is in `transitions`.

use holodrive_protocol::{OfferId, OrderEvent, OrderId, OrderStatus, Timestamp, UserId};
use serde_json::{Map, Value as Json};

use super::{
    pins::Pin,
    record::{LiveOffer, NewOrder, OrderRecord, point},
};
use crate::{
    dispatch::Needs,
    storage::{Columns, Row, StorageError, Tx, Value},
};

const COLUMNS: &str = "o.id, o.rider_id, o.driver_id, o.status, o.order_type, o.address_from, o.address_to, \
    o.latitude_from, o.longitude_from, o.latitude_to, o.longitude_to, o.created_at, o.pickup_at, \
    o.search_from, o.search_until, o.vehicle_class, o.seats, o.start_pin, o.conversation_id, f.id, f.driver_id, f.expires_at, f.unreachable_at, \
    f.delivered_at, f.exclusive";
const WITH_OFFERS: &str = "LEFT JOIN holodrive_offer f ON f.order_id = o.id AND f.state = 'live'";

/// Whose orders a list holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Everybody's.
    All,
    /// Those that the user ordered or drives.
    Of(UserId),
}

/// When drivers are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SearchTimes {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
}

pub(super) fn insert(tx: &mut Tx<'_>, new: &NewOrder, search: SearchTimes) -> Result<OrderId, StorageError> {
    let sql = "INSERT INTO holodrive_order (rider_id, status, order_type, address_from, address_to, latitude_from, \
        longitude_from, latitude_to, longitude_to, created_at, pickup_at, search_from, search_until, vehicle_class, seats) \
        VALUES ($1, 'searching', $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    let params = [
        new.rider_id.into(),
        (&new.order_type).into(),
        (&new.address_from).into(),
        (&new.address_to).into(),
        new.from.latitude.into(),
        new.from.longitude.into(),
        new.to.latitude.into(),
        new.to.longitude.into(),
        tx.now().into(),
        new.pickup_at.into(),
        search.from.into(),
        search.until.into(),
        new.needs.vehicle_class.as_deref().into(),
        new.needs.seats.map(i64::from).into(),
    ];
    tx.insert(sql, &params)
}

/// The first column of a row that a statement with `RETURNING` must give.
pub(super) fn returned<T: crate::storage::FromValue>(row: Option<Row>) -> Result<T, StorageError> {
    row.ok_or(StorageError::Column { index: 0 })?.first()
}

pub(super) fn find(tx: &mut Tx<'_>, id: OrderId) -> Result<Option<OrderRecord>, StorageError> {
    let sql = format!("SELECT {COLUMNS} FROM holodrive_order o {WITH_OFFERS} WHERE o.id = $1");
    Ok(records(tx, &sql, &[id.into()])?.pop())
}

/// Orders before `before`, newest first.
pub(super) fn page(
    tx: &mut Tx<'_>,
    scope: Scope,
    status: Option<OrderStatus>,
    before: OrderId,
    limit: i64,
) -> Result<Vec<OrderRecord>, StorageError> {
    let mut params: Vec<Value> = vec![before.into(), limit.into()];
    if let Scope::Of(user_id) = scope {
        params.push(user_id.into());
    }
    params.extend(status.map(|status| status.as_str().into()));
    records(tx, &page_statement(scope, status.is_some()), &params)
}

/// What a user ordered and what he drives have an index each, which gives the newest of them without a look at the others.
pub(super) fn page_statement(scope: Scope, has_status: bool) -> String {
    let newest = |condition: &str| format!("FROM holodrive_order o WHERE {condition} ORDER BY o.id DESC LIMIT $2");
    let condition = match scope {
        Scope::All => format!("o.id < $1{}", if has_status { " AND o.status = $3" } else { "" }),
        Scope::Of(_) => {
            let status = if has_status { " AND o.status = $4" } else { "" };
            let [rides, drives] = ["rider_id", "driver_id"]
                .map(|who| format!("SELECT o.id {}", newest(&format!("o.id < $1 AND o.{who} = $3{status}"))));
            format!("o.id IN (SELECT id FROM ({rides}) AS rides UNION SELECT id FROM ({drives}) AS drives)")
        }
    };
    format!("SELECT {COLUMNS} FROM (SELECT * {}) o {WITH_OFFERS} ORDER BY o.id DESC", newest(&condition))
}

/// The orders of a rider that are not over, oldest first.
pub(super) fn open_of_rider(tx: &mut Tx<'_>, rider_id: UserId) -> Result<Vec<OrderRecord>, StorageError> {
    let open = "o.rider_id = $1 AND o.status NOT IN ('completed', 'cancelled', 'no_driver')";
    records(
        tx,
        &format!("SELECT {COLUMNS} FROM holodrive_order o {WITH_OFFERS} WHERE {open} ORDER BY o.id"),
        &[rider_id.into()],
    )
}

/// The orders that are offered to a driver, oldest offer first.
pub(super) fn offered_to(tx: &mut Tx<'_>, driver_id: UserId) -> Result<Vec<OrderRecord>, StorageError> {
    let sql = format!("SELECT {COLUMNS} FROM holodrive_order o {WITH_OFFERS} WHERE f.driver_id = $1 ORDER BY f.id");
    records(tx, &sql, &[driver_id.into()])
}

/// The order that a driver drives.
pub(super) fn trip_of(tx: &mut Tx<'_>, driver_id: UserId) -> Result<Option<OrderRecord>, StorageError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM holodrive_order o {WITH_OFFERS} WHERE o.driver_id = $1 AND o.status IN ('accepted', 'arrived', 'in_progress')"
    );
    Ok(records(tx, &sql, &[driver_id.into()])?.pop())
}

/// All orders that search or are offered, and all trips: what the dispatcher has to know after a start.
pub(super) fn unfinished(tx: &mut Tx<'_>) -> Result<Vec<OrderRecord>, StorageError> {
    let open = "o.status IN ('searching', 'pending', 'accepted', 'arrived', 'in_progress')";
    records(tx, &format!("SELECT {COLUMNS} FROM holodrive_order o {WITH_OFFERS} WHERE {open} ORDER BY o.id"), &[])
}

/// Ended offers of an order: to whom, how, and when.
pub(super) fn past_offers(
    tx: &mut Tx<'_>,
    order_id: OrderId,
) -> Result<Vec<(UserId, String, Timestamp)>, StorageError> {
    let sql = "SELECT driver_id, state, ended_at FROM holodrive_offer \
        WHERE order_id = $1 AND state NOT IN ('live', 'accepted') ORDER BY id";
    let rows = tx.query(sql, &[order_id.into()])?.into_iter().map(Row::columns);
    rows.map(|mut row| Ok((row.take()?, row.take()?, row.take()?))).collect()
}

/// The state and reason of the last offer of an order to a driver.
pub(super) fn last_offer(
    tx: &mut Tx<'_>,
    order_id: OrderId,
    driver_id: UserId,
) -> Result<Option<(String, Option<String>)>, StorageError> {
    let sql =
        "SELECT state, reason FROM holodrive_offer WHERE order_id = $1 AND driver_id = $2 ORDER BY id DESC LIMIT 1";
    let row = tx.query_one(sql, &[order_id.into(), driver_id.into()])?.map(Row::columns);
    row.map(|mut row| Ok((row.take()?, row.take()?))).transpose()
}

pub(super) fn open_orders(tx: &mut Tx<'_>, rider_id: UserId) -> Result<i64, StorageError> {
    let sql = "SELECT COUNT(*) FROM holodrive_order \
        WHERE rider_id = $1 AND status NOT IN ('completed', 'cancelled', 'no_driver')";
    returned(tx.query_one(sql, &[rider_id.into()])?)
}

/// An entry of an order's history; its id says where in the stream of all changes it stands.
pub(super) fn record_event(
    tx: &mut Tx<'_>,
    order_id: OrderId,
    kind: &str,
    actor_id: Option<UserId>,
    details: &Json,
) -> Result<i64, StorageError> {
    let sql = "INSERT INTO holodrive_order_event (order_id, at, type, actor_id, details) \
        VALUES ($1, $2, $3, $4, $5)";
    let params = [order_id.into(), tx.now().into(), kind.into(), actor_id.into(), details.to_string().into()];
    tx.insert(sql, &params)
}

/// The newest entry of all histories in this snapshot.
pub(super) fn last_event(tx: &mut Tx<'_>) -> Result<i64, StorageError> {
    returned(tx.query_one("SELECT COALESCE(MAX(id), 0) FROM holodrive_order_event", &[])?)
}

/// The history of an order after `after`, oldest first; each entry with its id.
pub(super) fn events(
    tx: &mut Tx<'_>,
    order_id: OrderId,
    after: i64,
    limit: i64,
) -> Result<Vec<(i64, OrderEvent)>, StorageError> {
    let sql = "SELECT id, at, type, actor_id, details FROM holodrive_order_event \
        WHERE order_id = $1 AND id > $2 ORDER BY id LIMIT $3";
    let rows = tx.query(sql, &[order_id.into(), after.into(), limit.into()])?;
    rows.into_iter().map(|row| event(row.columns())).collect()
}

/// When entries of this type were made in an order's history, oldest first.
pub(super) fn event_times(tx: &mut Tx<'_>, order_id: OrderId, kind: &str) -> Result<Vec<Timestamp>, StorageError> {
    let sql = "SELECT at FROM holodrive_order_event WHERE order_id = $1 AND type = $2 ORDER BY id";
    tx.query(sql, &[order_id.into(), kind.into()])?.into_iter().map(Row::first).collect()
}

fn event(mut row: Columns) -> Result<(i64, OrderEvent), StorageError> {
    let id = row.take()?;
    let event = OrderEvent {
        at: row.take()?,
        kind: row.take()?,
        actor_id: row.take()?,
        details: serde_json::from_str::<Map<String, Json>>(&row.take::<String>()?).unwrap_or_default(),
    };
    Ok((id, event))
}

/// One row for each live offer, those of an order one after another.
fn records(tx: &mut Tx<'_>, sql: &str, params: &[Value]) -> Result<Vec<OrderRecord>, StorageError> {
    let mut records = Vec::<OrderRecord>::new();
    for row in tx.query(sql, params)? {
        let order = record(row)?;
        match records.last_mut().filter(|last| last.id == order.id) {
            Some(last) => last.offers.extend(order.offers),
            None => records.push(order),
        }
    }
    Ok(records)
}

fn record(row: Row) -> Result<OrderRecord, StorageError> {
    let mut row = row.columns();
    Ok(OrderRecord {
        id: row.take()?,
        rider_id: row.take()?,
        driver_id: row.take()?,
        status: row.take::<String>()?.parse().map_err(|_| StorageError::Column { index: 3 })?,
        order_type: row.take()?,
        address_from: row.take()?,
        address_to: row.take()?,
        from: point(row.take()?, row.take()?),
        to: point(row.take()?, row.take()?),
        created_at: row.take()?,
        pickup_at: row.take()?,
        search_from: row.take()?,
        search_until: row.take()?,
        needs: Needs { vehicle_class: row.take()?, seats: seats(row.take()?) },
        pin: row.take::<Option<String>>()?.map(Pin::stored),
        conversation_id: row.take()?,
        offers: live_offer(row)?.into_iter().collect(),
    })
}

/// A number of seats, as it is stored.
pub(super) fn seats(stored: Option<i64>) -> Option<u32> {
    stored.and_then(|seats| u32::try_from(seats).ok())
}

fn live_offer(mut row: Columns) -> Result<Option<LiveOffer>, StorageError> {
    let id: Option<OfferId> = row.take()?;
    let offer = |id| {
        Ok(LiveOffer {
            id,
            driver_id: row.take()?,
            expires_at: row.take()?,
            unreachable_at: row.take()?,
            delivered_at: row.take()?,
            is_exclusive: row.take()?,
        })
    };
    id.map(offer).transpose()
}
