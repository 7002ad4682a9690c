//! Drivers: whether they take orders, and where they are.

use std::sync::Arc;

use holodrive_protocol::{Timestamp, UserId, http::DriverStatus};

use super::{driver_store, service::Orders};
use crate::{
    dispatch::{Change, Point, Position},
    hooks::{DriverOrders, HookError, OrderObject},
    storage::{StorageError, Tx},
};

impl Orders {
    /// What the back end shows a driver before our own orders.
    pub(super) async fn back_end_orders(&self, driver_id: UserId) -> Result<Vec<OrderObject>, HookError> {
        match &self.driver_orders {
            Some(hook) => Ok(hook.ask(DriverOrders { driver_id }).await?.orders),
            None => Ok(Vec::new()),
        }
    }

    /// A driver says whether he takes orders.
    pub(super) fn set_status(
        self: &Arc<Self>,
        tx: &mut Tx<'_>,
        driver_id: UserId,
        status: DriverStatus,
    ) -> Result<(), StorageError> {
        driver_store::set_driver_status(tx, driver_id, status_text(status))?;
        let now = tx.now();
        self.change_board(tx, Change::DriverStatus(driver_id, Some(status), Some(now)));
        Ok(())
    }

    /// A driver says where he is, and is answered once that is on disk.
    pub(super) fn set_location(
        self: &Arc<Self>,
        tx: &mut Tx<'_>,
        driver_id: UserId,
        point: Point,
    ) -> Result<(), StorageError> {
        let position = Position { point, at: tx.now() };
        driver_store::set_driver_position(tx, driver_id, position)?;
        self.change_board(tx, Change::DriverMoved(driver_id, position));
        let orders = Arc::clone(self);
        tx.after_commit(move || {
            orders.positions.is_saved(driver_id);
            orders.metrics.position_received();
        });
        Ok(())
    }

    /// A driver says where he is, and expects no answer: stored with others a little later.
    pub(super) fn move_driver(&self, driver_id: UserId, point: Point) {
        let position = Position { point, at: self.storage.clock().now() };
        self.positions.save_later(driver_id, position);
        self.metrics.position_received();
        if let Some(order_id) = self.board.driver_moved(driver_id, position) {
            self.positions.tell_followers(driver_id, order_id, position);
        }
    }

    /// Puts a driver as he is stored on the dispatcher's board, which may know more than that already. `unreached_at` is when an
    /// offer was withdrawn because it never got to his phone.
    pub(super) fn restore_driver(
        &self,
        driver: &driver_store::StoredDriver,
        unreached_at: Option<Timestamp>,
        now: Timestamp,
    ) {
        let status = match driver.status.as_deref() {
            Some("online") => Some(DriverStatus::Online),
            Some(_) => Some(DriverStatus::Offline),
            None => None,
        };
        let driver_id = driver.driver_id;
        if let Some((point, at)) = driver.position {
            self.board.driver_told(driver_id, Position { point, at }, now);
        }
        self.board.update(|board| {
            let heard_at = board.last_heard(driver_id, now).max(driver.seen_at);
            board.driver_status(driver_id, status, driver.seen_at);
            board.driver_vehicle(driver_id, driver.vehicle.clone());
            if unreached_at.is_some_and(|at| heard_at <= Some(at)) {
                board.driver_unreachable(driver_id);
            }
        });
    }
}

const fn status_text(status: DriverStatus) -> &'static str {
    match status {
        DriverStatus::Online => "online",
        DriverStatus::Offline => "offline",
    }
}
