//! What drivers drive, as staff say it.

use std::sync::Arc;

use holodrive_protocol::{UserId, http::DriverVehicle};

use super::{driver_store, error::OrderError, service::Orders};
use crate::{
    dispatch::{Change, Vehicle},
    storage::Tx,
};

impl Orders {
    /// What a driver drives.
    ///
    /// # Errors
    /// [`OrderError::NotFound`] where there is no such driver.
    pub(super) fn vehicle(&self, tx: &mut Tx<'_>, driver_id: UserId) -> Result<DriverVehicle, OrderError> {
        self.require_driver(tx, driver_id)?;
        let vehicle = driver_store::vehicle_of(tx, driver_id)?;
        let seats = vehicle.as_ref().map(|vehicle| vehicle.seats);
        Ok(DriverVehicle { driver_id, classes: vehicle.unwrap_or_default().classes, seats })
    }

    /// Staff say what a driver drives: he is offered orders that ask for it.
    ///
    /// # Errors
    /// [`OrderError::NotFound`] where there is no such driver.
    pub(super) fn set_vehicle(
        self: &Arc<Self>,
        tx: &mut Tx<'_>,
        driver_id: UserId,
        vehicle: Vehicle,
    ) -> Result<DriverVehicle, OrderError> {
        self.require_driver(tx, driver_id)?;
        driver_store::set_vehicle(tx, driver_id, &vehicle)?;
        self.change_board(tx, Change::DriverVehicle(driver_id, Some(vehicle)));
        self.vehicle(tx, driver_id)
    }

    fn require_driver(&self, tx: &mut Tx<'_>, id: UserId) -> Result<(), OrderError> {
        if self.accounts.is_active_driver(tx, id)? { Ok(()) } else { Err(OrderError::NotFound) }
    }
}
