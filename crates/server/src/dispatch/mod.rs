//! Which driver is asked, and when an offer or a search has run out.
//!
//! [`Board`] is the view in memory that plans; the database decides. It knows neither HTTP nor sockets.

mod board;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod board_tests;
mod change;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod choice_tests;
mod explain;
mod fleet;
mod geo;
mod grid;
mod model;
mod overdue;
mod planning;
mod round;
mod search;
mod strategy;

pub use board::Board;
pub use change::Change;
pub use fleet::{Driver, Fleet, Position};
pub use geo::{Point, rounded_km};
pub use model::{Match, NEVER, Needs, OfferTimes, Plan, Radius, Rules, StrategyKind, Vehicle, Waiting};
