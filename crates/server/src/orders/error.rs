use std::time::Duration;

use holodrive_protocol::{
    OrderId,
    socket::{ErrorCode, ErrorMessage, OfferExpiredReason},
};
use thiserror::Error;

use crate::{api::ApiError, storage::StorageError};

/// Why an order did not take a step.
#[derive(Clone, Debug, Error)]
pub enum OrderError {
    /// The database refused or failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// There is no such order, or not for this user.
    #[error("there is no such order")]
    NotFound,
    /// The offer can no longer be accepted or declined.
    #[error("this offer can no longer be accepted")]
    OfferExpired(OfferExpiredReason),
    /// The order does not stand where this step begins.
    #[error("{0}")]
    InvalidTransition(String),
    /// The driver drives another order.
    #[error("the driver is on a trip")]
    DriverBusy,
    /// That user is not a driver.
    #[error("this user is not an active driver")]
    NotADriver,
    /// That user is the order's rider.
    #[error("nobody drives himself: this user is the order's rider")]
    OwnOrder,
    /// The rider has as many open orders as `ORDERS_PER_RIDER` allows.
    #[error("too many open orders: finish or cancel one first")]
    TooManyOrders,
    /// The rider wants to be picked up in the past, or too far in the future.
    #[error("must be in the future, and at most 30 days ahead")]
    PickupTime,
    /// The rider's PIN is needed to start this order.
    #[error("ask the rider for the four digits that he is shown")]
    PinMissing,
    /// Too many wrong PINs were given for this order.
    #[error("too many wrong PINs: wait until another may be tried")]
    TooManyPins {
        /// How long.
        wait: Duration,
    },
}

impl From<OrderError> for ApiError {
    fn from(error: OrderError) -> Self {
        match error {
            OrderError::Storage(error) => error.into(),
            OrderError::NotFound => Self::not_found(),
            OrderError::OfferExpired(reason) => Self::offer_expired(reason),
            OrderError::InvalidTransition(detail) => Self::conflict("invalid_transition", &detail),
            OrderError::DriverBusy => Self::conflict("driver_busy", &error.to_string()),
            OrderError::NotADriver | OrderError::OwnOrder => Self::invalid_field("driver_id", error.to_string()),
            OrderError::TooManyOrders => Self::conflict("too_many_orders", &error.to_string()),
            OrderError::PickupTime => Self::invalid_field("pickup_at", error.to_string()),
            OrderError::PinMissing => Self::invalid_field("pin", error.to_string()),
            OrderError::TooManyPins { wait } => {
                Self::rate_limited(&error.to_string(), wait.as_secs().saturating_add(1))
            }
        }
    }
}

impl OrderError {
    /// The error as a socket tells it.
    pub(super) fn into_message(self, order_id: OrderId) -> ErrorMessage {
        let (code, reason) = match &self {
            Self::Storage(_) => (ErrorCode::Unavailable, None),
            Self::OfferExpired(reason) => (ErrorCode::OfferExpired, Some(*reason)),
            Self::NotFound => (ErrorCode::NotFound, None),
            _ => (ErrorCode::InvalidMessage, None),
        };
        let text = match &self {
            Self::Storage(_) => "the server cannot reach its database: try again".to_owned(),
            other => other.to_string(),
        };
        ErrorMessage { order_id: Some(order_id), reason, ..ErrorMessage::new(code, text) }
    }
}
