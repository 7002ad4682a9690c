//! Moments and spans of simulated time.

use holodrive_protocol::Timestamp;

/// Microseconds of a second.
pub(crate) const SECOND: i64 = 1_000_000;
/// Microseconds of a minute.
pub(crate) const MINUTE: i64 = 60 * SECOND;
/// Microseconds of a day.
pub(crate) const DAY: i64 = 24 * 60 * MINUTE;
/// Microseconds of an hour.
#[cfg(test)]
pub(crate) const HOUR: i64 = 60 * MINUTE;

/// So many microseconds after midnight.
pub(crate) const fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}
