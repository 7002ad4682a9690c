//! Devices: the phones that pushes reach.

use holodrive_protocol::{
    Timestamp, UserId,
    http::{Device, Platform},
};

use crate::{
    config::Secret,
    storage::{Columns, Row, StorageError, Tx},
};

/// Devices of one user; who registers another one loses the one that was registered longest ago.
pub(super) const DEVICES_MAX: usize = 10;

const COLUMNS: &str = "id, user_id, platform, name, registered_at";

/// A device, and where to find it.
#[derive(Clone, Debug)]
pub(super) struct Addressee {
    pub(super) device: Device,
    pub(super) token: Secret,
}

/// A device that is to be registered.
pub(super) struct NewDevice {
    pub(super) user_id: UserId,
    pub(super) platform: Platform,
    pub(super) token: Secret,
    pub(super) name: Option<String>,
}

/// Registers a device. One that was another user's is this one's from now on.
pub(super) fn register(tx: &mut Tx<'_>, new: &NewDevice) -> Result<Device, StorageError> {
    let sql = format!(
        "INSERT INTO holodrive_device (user_id, platform, token, name, registered_at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (platform, token) DO UPDATE SET user_id = excluded.user_id, name = excluded.name, \
         registered_at = excluded.registered_at RETURNING {COLUMNS}"
    );
    let params = [
        new.user_id.into(),
        new.platform.as_str().into(),
        new.token.expose().into(),
        new.name.clone().into(),
        tx.now().into(),
    ];
    let row = tx.query_one(&sql, &params)?.ok_or(StorageError::Column { index: 0 })?;
    let registered = device(&mut row.columns())?;
    let sql = "DELETE FROM holodrive_device WHERE user_id = $1 AND id NOT IN (SELECT id FROM holodrive_device \
        WHERE user_id = $1 AND id <> $2 ORDER BY registered_at DESC, id DESC LIMIT $3) AND id <> $2";
    tx.execute(sql, &[new.user_id.into(), registered.id.into(), (DEVICES_MAX - 1).into()])?;
    Ok(registered)
}

/// The devices of a user, the latest one first.
pub(super) fn devices(tx: &mut Tx<'_>, user_id: UserId) -> Result<Vec<Device>, StorageError> {
    Ok(addressees(tx, user_id)?.into_iter().map(|addressee| addressee.device).collect())
}

/// The same, with their tokens.
pub(super) fn addressees(tx: &mut Tx<'_>, user_id: UserId) -> Result<Vec<Addressee>, StorageError> {
    let sql = format!(
        "SELECT {COLUMNS}, token FROM holodrive_device WHERE user_id = $1 ORDER BY registered_at DESC, id DESC"
    );
    let rows = tx.query(&sql, &[user_id.into()])?.into_iter().map(Row::columns);
    rows.map(|mut row| Ok(Addressee { device: device(&mut row)?, token: Secret::new(row.take::<String>()?) })).collect()
}

/// Removes a device: of this user, or anybody's. `false` when there is none.
pub(super) fn remove(tx: &mut Tx<'_>, id: i64, user_id: Option<UserId>) -> Result<bool, StorageError> {
    let removed = match user_id {
        Some(user_id) => {
            tx.execute("DELETE FROM holodrive_device WHERE id = $1 AND user_id = $2", &[id.into(), user_id.into()])?
        }
        None => tx.execute("DELETE FROM holodrive_device WHERE id = $1", &[id.into()])?,
    };
    Ok(removed == 1)
}

/// Forgets a device that is not reached any more, unless its app has registered it after `known_at`.
pub(super) fn forget(tx: &mut Tx<'_>, id: i64, known_at: Timestamp) -> Result<(), StorageError> {
    let sql = "DELETE FROM holodrive_device WHERE id = $1 AND registered_at <= $2";
    tx.execute(sql, &[id.into(), known_at.into()]).map(|_| ())
}

fn device(row: &mut Columns) -> Result<Device, StorageError> {
    Ok(Device {
        id: row.take()?,
        user_id: row.take()?,
        platform: match row.take::<String>()?.as_str() {
            "fcm" => Platform::Fcm,
            "apns" => Platform::Apns,
            _ => return Err(StorageError::Column { index: 2 }),
        },
        name: row.take()?,
        registered_at: row.take()?,
    })
}
