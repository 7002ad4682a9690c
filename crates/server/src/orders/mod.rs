//! Orders: from the rider's request to the end of the trip.
//!
//! | file | holds |
//! |---|---|
//! | `transitions` | the state machine: every change of an order or an offer, as conditional statements |
//! | `store`, `driver_store` | reading orders, and the history; what is known of drivers |
//! | `service`, `offers`, `answers`, `endings`, `trips`, `drivers`, `vehicles`, `pins` | the rules: what belongs into one transaction, and who is told |
//! | `snapshots` | what a driver has in hand when he connects or polls |
//! | `dispatcher` | carries out what the board of `dispatch` plans |
//! | `lost_contact` | takes orders from drivers who fall silent on their way |
//! | `elsewhere` | what the nodes tell each other of the drivers at their sockets |
//! | `positions`, `arrivals` | where drivers are, and when they come |
//! | `events`, `texts` | what sockets hear, and the words in it |
//! | `driver_socket`, `rider_socket`, `tracking_socket`, `http` | the interfaces |

mod answers;
mod arrivals;
mod dispatcher;
mod driver_socket;
mod driver_store;
mod drivers;
mod elsewhere;
mod endings;
mod error;
mod events;
mod http;
mod live_board;
mod lost_contact;
mod offers;
mod pins;
mod positions;
mod pushes;
mod record;
mod rider_socket;
mod service;
mod snapshots;
mod store;
#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::unchecked_time_subtraction,
    reason = "tests"
)]
mod tests;
mod texts;
mod tracking_socket;
mod transitions;
mod trips;
mod vehicles;

pub use driver_socket::DriverOrdersEndpoint;
pub use error::OrderError;
pub use events::{DriverEvent, RiderEvent};
pub use http::routes;
pub use pins::Pin;
pub use pushes::{DuePush, PushResult};
pub use record::{LiveOffer, NewOrder, OrderRecord};
pub use rider_socket::RiderOrdersEndpoint;
pub use service::{Orders, OrdersParts};
pub use tracking_socket::TrackingEndpoint;
