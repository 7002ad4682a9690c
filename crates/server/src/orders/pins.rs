//! The PIN that a rider tells his driver, so that the right person is in the car.

use std::{fmt, time::Duration};

use holodrive_protocol::{OrderId, Timestamp, UserId};
use serde_json::json;

use super::{error::OrderError, record::OrderRecord, service::later, store};
use crate::storage::{StorageError, Tx};

/// Digits of a PIN.
pub(super) const DIGITS: usize = 4;
/// Wrong PINs that count for one order within [`WINDOW`].
const TRIES: u32 = 5;
const WINDOW: Duration = Duration::from_mins(10);
/// The entry of the history that a wrong PIN leaves.
const WRONG_PIN: &str = "wrong_pin";

/// Four digits, which no log shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Pin(String);

impl Pin {
    /// One that cannot be foreseen.
    pub(super) fn random() -> Self {
        Self(format!("{:0DIGITS$}", rand::random_range(0..10_u32.pow(4))))
    }

    pub(super) fn stored(digits: String) -> Self {
        Self(digits)
    }

    /// What somebody has typed, where it has the form of a PIN.
    pub(super) fn typed(text: &str) -> Option<Self> {
        let has_form = text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
        has_form.then(|| Self(text.to_owned()))
    }

    /// For whom it is meant, and for the database.
    pub(super) fn digits(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(****)")
    }
}

/// Whether a driver may start an order with this PIN.
pub(super) enum Verdict {
    Right,
    /// The attempt is in the history; so many are left for now.
    Wrong {
        tries_left: u32,
    },
}

/// Judges the PIN that a driver gives for an order that he is to start. A wrong one leaves an entry in the history, by which the
/// attempts are counted, on all nodes and over a restart.
///
/// # Errors
/// [`OrderError::PinMissing`], and [`OrderError::TooManyPins`] until the attempts of ten minutes are fewer.
pub(super) fn judge(
    tx: &mut Tx<'_>,
    order: &OrderRecord,
    driver_id: UserId,
    given: Option<&Pin>,
) -> Result<Verdict, OrderError> {
    let Some(pin) = &order.pin else { return Ok(Verdict::Right) };
    let wrong = wrong_pins(tx, order.id)?;
    let tries_left = TRIES.saturating_sub(u32::try_from(wrong.len()).unwrap_or(u32::MAX));
    if let (0, Some(first)) = (tries_left, wrong.first()) {
        return Err(OrderError::TooManyPins { wait: later(*first, WINDOW).since(tx.now()) });
    }
    match given {
        None => Err(OrderError::PinMissing),
        Some(given) if given == pin => Ok(Verdict::Right),
        Some(_) => {
            let tries_left = tries_left.saturating_sub(1);
            store::record_event(tx, order.id, WRONG_PIN, Some(driver_id), &json!({"attempts_left": tries_left}))?;
            Ok(Verdict::Wrong { tries_left })
        }
    }
}

/// When wrong PINs were given that still count, oldest first.
fn wrong_pins(tx: &mut Tx<'_>, order_id: OrderId) -> Result<Vec<Timestamp>, StorageError> {
    let now = tx.now();
    let times = store::event_times(tx, order_id, WRONG_PIN)?;
    Ok(times.into_iter().filter(|at| later(*at, WINDOW) > now).collect())
}
