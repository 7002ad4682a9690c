//! Reading and writing what is known of drivers.

use std::collections::HashMap;

use holodrive_protocol::{OrderId, Timestamp, UserId};

use super::{record::point, store::seats};
use crate::{
    dispatch::{Point, Position, Vehicle},
    storage::{Columns, Row, StorageError, Tx, Value},
};

/// What a driver said of himself, and where he was.
pub(super) struct StoredDriver {
    pub(super) driver_id: UserId,
    pub(super) status: Option<String>,
    pub(super) position: Option<(Point, Timestamp)>,
    pub(super) seen_at: Option<Timestamp>,
    pub(super) vehicle: Option<Vehicle>,
}

pub(super) fn drivers(tx: &mut Tx<'_>) -> Result<Vec<StoredDriver>, StorageError> {
    let sql = "SELECT driver_id, status, seen_at, latitude, longitude, position_at, vehicle_classes, vehicle_seats \
        FROM holodrive_driver";
    tx.query(sql, &[])?.into_iter().map(|row| driver(row.columns())).collect()
}

fn driver(mut row: Columns) -> Result<StoredDriver, StorageError> {
    let (driver_id, status, seen_at) = (row.take()?, row.take()?, row.take()?);
    let (latitude, longitude, at): (Option<_>, Option<_>, Option<_>) = (row.take()?, row.take()?, row.take()?);
    let position = match (latitude, longitude, at) {
        (Some(latitude), Some(longitude), Some(at)) => Some((point(latitude, longitude), at)),
        _ => None,
    };
    Ok(StoredDriver { driver_id, status, position, seen_at, vehicle: vehicle(row)? })
}

/// Who had an offer withdrawn since then because it never got to his phone, and when.
pub(super) fn unreached(tx: &mut Tx<'_>, since: Timestamp) -> Result<HashMap<UserId, Timestamp>, StorageError> {
    let sql = "SELECT driver_id, MAX(ended_at) FROM holodrive_offer WHERE reason = 'unreachable' AND ended_at > $1 \
        GROUP BY driver_id";
    let rows = tx.query(sql, &[since.into()])?.into_iter().map(Row::columns);
    rows.map(|mut row| Ok((row.take()?, row.take()?))).collect()
}

/// What may keep a driver from being offered an order.
pub(super) struct Standing {
    /// He has said that he takes none.
    pub(super) is_offline: bool,
    /// He drives another one.
    pub(super) has_trip: bool,
    /// Of any order.
    pub(super) live_offers: i64,
    /// He had the order, and does not get it again.
    pub(super) gave_it_back: bool,
    /// When an offer of the order to him ended.
    pub(super) had_it_at: Option<Timestamp>,
}

pub(super) fn standing(tx: &mut Tx<'_>, driver_id: UserId, order_id: OrderId) -> Result<Standing, StorageError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM holodrive_driver WHERE driver_id = $1 AND status = 'offline'), \
        EXISTS (SELECT 1 FROM holodrive_order WHERE driver_id = $1 AND status IN ('accepted', 'arrived', 'in_progress')), \
        (SELECT COUNT(*) FROM holodrive_offer WHERE driver_id = $1 AND state = 'live'), \
        COUNT(CASE WHEN state = 'released' THEN 1 END) > 0, MAX(ended_at) FROM holodrive_offer \
        WHERE order_id = $2 AND driver_id = $1 AND state NOT IN ('live', 'accepted')";
    let row = tx.query_one(sql, &[driver_id.into(), order_id.into()])?.ok_or(StorageError::Column { index: 0 })?;
    let mut row = row.columns();
    Ok(Standing {
        is_offline: row.take()?,
        has_trip: row.take()?,
        live_offers: row.take()?,
        gave_it_back: row.take()?,
        had_it_at: row.take()?,
    })
}

pub(super) fn set_driver_status(tx: &mut Tx<'_>, driver_id: UserId, status: &str) -> Result<(), StorageError> {
    let sql = "INSERT INTO holodrive_driver (driver_id, status, seen_at) VALUES ($1, $2, $3) \
        ON CONFLICT (driver_id) DO UPDATE SET status = excluded.status, seen_at = excluded.seen_at";
    tx.execute(sql, &[driver_id.into(), status.into(), tx.now().into()]).map(|_| ())
}

/// An older position than is stored changes nothing: another node may have stored it. One from the future does not count, since
/// it was told before the clock was set back.
pub(super) fn set_driver_position(tx: &mut Tx<'_>, driver_id: UserId, at: Position) -> Result<(), StorageError> {
    set_driver_positions(tx, &[(driver_id, at)])
}

/// [`set_driver_position`] of these drivers, each of them named once. Many rows go in one statement, since on PostgreSQL each
/// is a journey; of powers of two, so that few different ones are prepared.
pub(super) fn set_driver_positions(tx: &mut Tx<'_>, positions: &[(UserId, Position)]) -> Result<(), StorageError> {
    let now = tx.now();
    let mut rest = positions;
    while let Some(power) = rest.len().checked_ilog2() {
        let (some, others) = rest.split_at(1 << power);
        let mut params: Vec<Value> = vec![now.into()];
        params.extend(some.iter().flat_map(position_values));
        tx.execute(&positions_statement(some.len()), &params)?;
        rest = others;
    }
    Ok(())
}

fn position_values((driver_id, at): &(UserId, Position)) -> [Value; 4] {
    [(*driver_id).into(), at.point.latitude.into(), at.point.longitude.into(), at.at.into()]
}

fn positions_statement(rows: usize) -> String {
    let row = |row: usize| {
        let [driver_id, latitude, longitude, at] = [2, 3, 4, 5].map(|column| 4 * row + column);
        format!("(${driver_id}, ${latitude}, ${longitude}, ${at}, ${at})")
    };
    let rows = (0..rows).map(row).collect::<Vec<_>>().join(", ");
    format!(
        "INSERT INTO holodrive_driver (driver_id, latitude, longitude, position_at, seen_at) VALUES {rows} \
         ON CONFLICT (driver_id) DO UPDATE SET latitude = excluded.latitude, longitude = excluded.longitude, \
         position_at = excluded.position_at, seen_at = excluded.seen_at \
         WHERE holodrive_driver.position_at IS NULL OR holodrive_driver.position_at <= excluded.position_at \
         OR holodrive_driver.position_at > $1"
    )
}

/// A sign of life; an older one than is stored changes nothing.
pub(super) fn set_driver_seen(tx: &mut Tx<'_>, driver_id: UserId, at: Timestamp) -> Result<(), StorageError> {
    let sql = "INSERT INTO holodrive_driver (driver_id, seen_at) VALUES ($1, $2) ON CONFLICT (driver_id) DO UPDATE \
        SET seen_at = excluded.seen_at WHERE holodrive_driver.seen_at IS NULL OR holodrive_driver.seen_at < excluded.seen_at";
    tx.execute(sql, &[driver_id.into(), at.into()]).map(|_| ())
}

/// What a driver drives; `None` where nobody said.
pub(super) fn vehicle_of(tx: &mut Tx<'_>, driver_id: UserId) -> Result<Option<Vehicle>, StorageError> {
    let sql = "SELECT vehicle_classes, vehicle_seats FROM holodrive_driver WHERE driver_id = $1";
    let row = tx.query_one(sql, &[driver_id.into()])?.map(Row::columns);
    Ok(row.map(vehicle).transpose()?.flatten())
}

/// The classes are a JSON list, so that they may have any characters.
pub(super) fn set_vehicle(tx: &mut Tx<'_>, driver_id: UserId, vehicle: &Vehicle) -> Result<(), StorageError> {
    let sql = "INSERT INTO holodrive_driver (driver_id, vehicle_classes, vehicle_seats) VALUES ($1, $2, $3) \
        ON CONFLICT (driver_id) DO UPDATE SET vehicle_classes = excluded.vehicle_classes, \
        vehicle_seats = excluded.vehicle_seats";
    let classes = serde_json::json!(vehicle.classes).to_string();
    tx.execute(sql, &[driver_id.into(), classes.into(), i64::from(vehicle.seats).into()]).map(|_| ())
}

fn vehicle(mut row: Columns) -> Result<Option<Vehicle>, StorageError> {
    let (classes, seats): (Option<String>, _) = (row.take()?, seats(row.take()?));
    let classes = classes.and_then(|classes| serde_json::from_str(&classes).ok());
    Ok(classes.zip(seats).map(|(classes, seats)| Vehicle { classes, seats }))
}
