//! A client for `HoloDrive` that reconnects with jitter and resumes where it stopped.
//!
//! [`Api`] speaks the HTTP API and opens sockets; both share one credential, which is renewed when it runs out.
//! A [`Socket`] comes back by itself after every loss that coming back can cure and says so by an [`Event`].
//!
//! ```no_run
//! use holodrive_client::{Api, Event};
//! use holodrive_protocol::driver::{DriverClientMessage, DriverServerMessage};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let api = Api::builder("http://127.0.0.1:9000").login("driver1", "secret").build()?;
//! println!("I am {}", api.me().await?.name);
//!
//! let mut orders = api.driver_orders().connect();
//! loop {
//!     match orders.next().await {
//!         Event::Message(DriverServerMessage::NewOrder { order, .. }) => {
//!             orders.send(&DriverClientMessage::AcceptOrder { order_id: order.id })?;
//!         }
//!         Event::Disconnected { cause, retry_in } => println!("{cause}; back in {retry_in:?}"),
//!         Event::Ended(reason) => break println!("{reason}"),
//!         _ => {}
//!     }
//! }
//! # Ok(()) }
//! ```

mod api;
mod backoff;
mod error;
mod socket;
mod token;

pub use api::{Api, ApiBuilder, PageOf};
pub use backoff::Backoff;
pub use error::Error;
pub use socket::{ChatSocket, DriverOrdersSocket, NotificationsSocket, RiderOrdersSocket, TrackingSocket};
pub use socket::{EndReason, Event, SendError, ServerMessage, Socket, SocketBuilder};
pub use token::{FixedToken, Login, TokenFuture, TokenSource};
