//! Reading orders, and inserting them. What changes them is in `transitions`.

use holodrive_protocol::{ConversationId, OfferId, OrderEvent, OrderId, OrderStatus, Timestamp, UserId};
use serde_json::{Map, Value as Json};

use super::record::{LiveOffer, NewOrder, OrderRecord, point};
use crate::storage::{Columns, Row, StorageError, Tx, Value};

const COLUMNS: &str = "o.id, o.rider_id, o.driver_id, o.status, o.order_type, o.address_from, o.address_to, \
    o.latitude_from, o.longitude_from, o.latitude_to, o.longitude_to, o.created_at, o.search_until, \
    o.conversation_id, f.id, f.driver_id, f.expires_at";
const WITH_OFFERS: &str = "LEFT JOIN holodrive_offer f ON f.order_id = o.id AND f.state = 'live'";

/// Whose orders a list holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Everybody's.
    All,
    /// Those that the user ordered or drives.
    Of(UserId),
}

pub(super) fn insert(tx: &mut Tx<'_>, new: &NewOrder, search_until: Timestamp) -> Result<OrderId, StorageError> {
    let sql = "INSERT INTO holodrive_order (rider_id, status, order_type, address_from, address_to, latitude_from, \
        longitude_from, latitude_to, longitude_to, created_at, search_until) \
        VALUES ($1, 'searching', $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id";
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
        search_until.into(),
    ];
    returned(tx.query_one(sql, &params)?)
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
    let mut conditions = vec!["o.id < $1".to_owned()];
    let mut params: Vec<Value> = vec![before.into(), limit.into()];
    if let Scope::Of(user_id) = scope {
        params.push(user_id.into());
        conditions.push("(o.rider_id = $3 OR o.driver_id = $3)".to_owned());
    }
    if let Some(status) = status {
        params.push(status.as_str().into());
        conditions.push(format!("o.status = ${}", params.len()));
    }
    let conditions = conditions.join(" AND ");
    let some = format!("(SELECT * FROM holodrive_order o WHERE {conditions} ORDER BY o.id DESC LIMIT $2) o");
    let sql = format!("SELECT {COLUMNS} FROM {some} {WITH_OFFERS} ORDER BY o.id DESC");
    records(tx, &sql, &params)
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

/// When an offer that was not delivered is withdrawn.
pub(super) fn unreachable_at(tx: &mut Tx<'_>, offer_id: OfferId) -> Result<Option<Timestamp>, StorageError> {
    let sql = "SELECT unreachable_at FROM holodrive_offer WHERE id = $1 AND delivered_at IS NULL";
    Ok(tx.query_one(sql, &[offer_id.into()])?.map(Row::first::<Option<Timestamp>>).transpose()?.flatten())
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

pub(super) fn live_offers(tx: &mut Tx<'_>, driver_id: UserId) -> Result<i64, StorageError> {
    let sql = "SELECT COUNT(*) FROM holodrive_offer WHERE driver_id = $1 AND state = 'live'";
    returned(tx.query_one(sql, &[driver_id.into()])?)
}

pub(super) fn set_conversation(
    tx: &mut Tx<'_>,
    order_id: OrderId,
    conversation_id: ConversationId,
) -> Result<(), StorageError> {
    let sql = "UPDATE holodrive_order SET conversation_id = $2 WHERE id = $1";
    tx.execute(sql, &[order_id.into(), conversation_id.into()]).map(|_| ())
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
        VALUES ($1, $2, $3, $4, $5) RETURNING id";
    let params = [order_id.into(), tx.now().into(), kind.into(), actor_id.into(), details.to_string().into()];
    returned(tx.query_one(sql, &params)?)
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
        search_until: row.take()?,
        conversation_id: row.take()?,
        offers: live_offer(row)?.into_iter().collect(),
    })
}

fn live_offer(mut row: Columns) -> Result<Option<LiveOffer>, StorageError> {
    let id: Option<OfferId> = row.take()?;
    id.map(|id| Ok(LiveOffer { id, driver_id: row.take()?, expires_at: row.take()? })).transpose()
}

/// What a driver said of himself, and where he was.
pub(super) struct StoredDriver {
    pub(super) driver_id: UserId,
    pub(super) status: Option<String>,
    pub(super) position: Option<(crate::dispatch::Point, Timestamp)>,
    pub(super) seen_at: Option<Timestamp>,
}

pub(super) fn drivers(tx: &mut Tx<'_>) -> Result<Vec<StoredDriver>, StorageError> {
    let sql = "SELECT driver_id, status, seen_at, latitude, longitude, position_at FROM holodrive_driver";
    tx.query(sql, &[])?.into_iter().map(|row| driver(row.columns())).collect()
}

fn driver(mut row: Columns) -> Result<StoredDriver, StorageError> {
    let (driver_id, status, seen_at) = (row.take()?, row.take()?, row.take()?);
    let (latitude, longitude, at): (Option<_>, Option<_>, Option<_>) = (row.take()?, row.take()?, row.take()?);
    let position = match (latitude, longitude, at) {
        (Some(latitude), Some(longitude), Some(at)) => Some((point(latitude, longitude), at)),
        _ => None,
    };
    Ok(StoredDriver { driver_id, status, position, seen_at })
}

pub(super) fn set_driver_status(tx: &mut Tx<'_>, driver_id: UserId, status: &str) -> Result<(), StorageError> {
    let sql = "INSERT INTO holodrive_driver (driver_id, status, seen_at) VALUES ($1, $2, $3) \
        ON CONFLICT (driver_id) DO UPDATE SET status = excluded.status, seen_at = excluded.seen_at";
    tx.execute(sql, &[driver_id.into(), status.into(), tx.now().into()]).map(|_| ())
}

pub(super) fn set_driver_position(
    tx: &mut Tx<'_>,
    driver_id: UserId,
    at: crate::dispatch::Position,
) -> Result<(), StorageError> {
    let sql = "INSERT INTO holodrive_driver (driver_id, latitude, longitude, position_at, seen_at) \
        VALUES ($1, $2, $3, $4, $4) ON CONFLICT (driver_id) DO UPDATE SET latitude = excluded.latitude, \
        longitude = excluded.longitude, position_at = excluded.position_at, seen_at = excluded.seen_at";
    let params = [driver_id.into(), at.point.latitude.into(), at.point.longitude.into(), at.at.into()];
    tx.execute(sql, &params).map(|_| ())
}
