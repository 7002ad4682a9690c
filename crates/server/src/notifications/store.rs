//! The SQL of notifications.

use holodrive_protocol::{
    NotificationId, Timestamp, UserId,
    notifications::{DeliveryStep, DeliveryStepKind, Notification, NotificationStatus},
};

use super::{NewNotification, deliveries::Written};
use crate::storage::{Row, StorageError, Tx};

const COLUMNS: &str =
    "id, title, message, notification_type, related_object_type, related_object_id, data, created_at, read_at";

/// Stores a notification for each of these users; gives whose is which.
pub(super) fn insert(
    tx: &mut Tx<'_>,
    user_ids: &[UserId],
    new: &NewNotification,
) -> Result<Vec<(UserId, NotificationId)>, StorageError> {
    let sql = "INSERT INTO holodrive_notification
               (user_id, title, message, notification_type, related_object_type, related_object_id, data, created_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let shared = [
        new.title.as_str().into(),
        new.message.as_str().into(),
        new.notification_type.as_str().into(),
        new.related_object_type.as_deref().into(),
        new.related_object_id.into(),
        json(&new.data)?.into(),
        tx.now().into(),
    ];
    let ids = tx.insert_each(sql, user_ids, &shared)?;
    Ok(user_ids.iter().copied().zip(ids).collect())
}

fn json(data: &serde_json::Value) -> Result<String, StorageError> {
    serde_json::to_string(data).map_err(|error| StorageError::Database(format!("data cannot be written: {error}")))
}

/// The user's notifications with a higher id, oldest first.
pub(super) fn after(
    tx: &mut Tx<'_>,
    user_id: UserId,
    after: NotificationId,
    limit: i64,
) -> Result<Vec<Notification>, StorageError> {
    let sql =
        format!("SELECT {COLUMNS} FROM holodrive_notification WHERE user_id = $1 AND id > $2 ORDER BY id LIMIT $3");
    tx.query(&sql, &[user_id.into(), after.into(), limit.into()])?.into_iter().map(notification).collect()
}

/// The user's notifications with a lower id, newest first; `status` keeps only those.
pub(super) fn before(
    tx: &mut Tx<'_>,
    user_id: UserId,
    before: NotificationId,
    status: Option<NotificationStatus>,
    limit: i64,
) -> Result<Vec<Notification>, StorageError> {
    let condition = match status {
        None => "",
        Some(NotificationStatus::Unread) => "AND read_at IS NULL",
        Some(NotificationStatus::Read) => "AND read_at IS NOT NULL",
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM holodrive_notification WHERE user_id = $1 AND id < $2 {condition} ORDER BY id DESC LIMIT $3"
    );
    tx.query(&sql, &[user_id.into(), before.into(), limit.into()])?.into_iter().map(notification).collect()
}

/// The user's notification with this id.
pub(super) fn find(tx: &mut Tx<'_>, user_id: UserId, id: NotificationId) -> Result<Option<Notification>, StorageError> {
    let sql = format!("SELECT {COLUMNS} FROM holodrive_notification WHERE id = $1 AND user_id = $2");
    tx.query_one(&sql, &[id.into(), user_id.into()])?.map(notification).transpose()
}

/// Marks the user's notification as read; false when it was already, or is not his.
pub(super) fn mark_read(tx: &mut Tx<'_>, user_id: UserId, id: NotificationId) -> Result<bool, StorageError> {
    let sql = "UPDATE holodrive_notification SET read_at = $1 WHERE id = $2 AND user_id = $3 AND read_at IS NULL";
    Ok(tx.execute(sql, &[tx.now().into(), id.into(), user_id.into()])? > 0)
}

/// Marks all of the user's notifications as read, and gives the ids of those that were not.
pub(super) fn mark_all_read(tx: &mut Tx<'_>, user_id: UserId) -> Result<Vec<NotificationId>, StorageError> {
    let sql = "UPDATE holodrive_notification SET read_at = $1 WHERE user_id = $2 AND read_at IS NULL RETURNING id";
    let rows = tx.query(sql, &[tx.now().into(), user_id.into()])?;
    let mut ids = rows.into_iter().map(Row::first).collect::<Result<Vec<_>, _>>()?;
    ids.sort_unstable();
    Ok(ids)
}

/// Stores deliveries over one connection. Of several, the first that was confirmed counts, or else the first.
pub(super) fn insert_deliveries(
    tx: &mut Tx<'_>,
    deliveries: &[Written],
    confirmed_at: Option<Timestamp>,
) -> Result<(), StorageError> {
    let sql = "INSERT INTO holodrive_notification_delivery (notification_id, written_at, confirmed_at) \
        VALUES ($1, $2, $3) ON CONFLICT (notification_id) DO UPDATE SET confirmed_at = excluded.confirmed_at \
        WHERE holodrive_notification_delivery.confirmed_at IS NULL AND excluded.confirmed_at IS NOT NULL";
    for written in deliveries {
        tx.execute(sql, &[written.id.into(), written.at.into(), confirmed_at.into()])?;
    }
    Ok(())
}

/// The steps of anybody's notification in order of time; `None` where there is no such notification.
pub(super) fn delivery_steps(tx: &mut Tx<'_>, id: NotificationId) -> Result<Option<Vec<DeliveryStep>>, StorageError> {
    use DeliveryStepKind::{Confirmed, Read, Stored, Written};
    let sql = "SELECT n.created_at, d.written_at, d.confirmed_at, n.read_at FROM holodrive_notification n \
        LEFT JOIN holodrive_notification_delivery d ON d.notification_id = n.id WHERE n.id = $1";
    let Some(row) = tx.query_one(sql, &[id.into()])? else { return Ok(None) };
    let mut moments = row.columns();
    let mut steps = Vec::new();
    for kind in [Stored, Written, Confirmed, Read] {
        steps.extend(moments.take::<Option<Timestamp>>()?.map(|at| DeliveryStep { at, kind }));
    }
    steps.sort_by_key(|step| step.at);
    Ok(Some(steps))
}

fn notification(row: Row) -> Result<Notification, StorageError> {
    const DATA: usize = 6;
    let mut columns = row.columns();
    Ok(Notification {
        id: columns.take()?,
        title: columns.take()?,
        message: columns.take()?,
        notification_type: columns.take()?,
        related_object_type: columns.take()?,
        related_object_id: columns.take()?,
        data: serde_json::from_str(&columns.take::<String>()?).map_err(|_| StorageError::Column { index: DATA })?,
        created_at: columns.take()?,
        status: match columns.take::<Option<i64>>()? {
            None => NotificationStatus::Unread,
            Some(_) => NotificationStatus::Read,
        },
    })
}
