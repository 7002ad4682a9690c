//! Devices that pushes reach.

use holodrive_protocol::http::{Device, Page, RegisterDevice};

use super::{Api, call::Call};
use crate::Error;

impl Api {
    /// Registers a device: after each login, and whenever FCM or APNs gives the app another token.
    pub async fn register_device(&self, device: &RegisterDevice) -> Result<Device, Error> {
        self.fetch(Call::put("/api/devices/").json(device)).await
    }

    /// One's devices, the latest one first.
    pub async fn devices(&self) -> Result<Page<Device>, Error> {
        self.fetch(Call::get("/api/devices/")).await
    }

    /// Removes a device, as before a logout.
    pub async fn remove_device(&self, id: i64) -> Result<(), Error> {
        self.perform(Call::delete(format!("/api/devices/{id}/"))).await
    }
}
