//! What the demo says when it begins.

use std::{
    io::{self, Write},
    net::SocketAddr,
    time::Duration,
};

use super::people::{self, PASSWORD};
use crate::app::App;

/// How long the tokens of the banner last: an afternoon of trying things out.
const TOKEN_LIFETIME: Duration = Duration::from_hours(12);

/// Prints addresses, logins and lines to paste.
pub(super) async fn print(app: &App, address: SocketAddr) -> anyhow::Result<()> {
    let public = &app.config.websocket_url;
    let rider = people::token(app, "rider", TOKEN_LIFETIME).await?;
    let driver = people::token(app, "driver", TOKEN_LIFETIME).await?;
    let text = text(&address.to_string(), public, &rider, &driver);
    // A standard output that nobody reads is no reason not to run.
    let _ = io::stdout().lock().write_all(text.as_bytes());
    Ok(())
}

fn text(address: &str, public: &str, rider: &str, driver: &str) -> String {
    format!(
        r"
HoloDrive demo: six riders, twelve drivers and support in Tashkent

  Open      http://{address}/      (clients are told {public})
  Log in    rider / {PASSWORD}     orders rides
            driver / {PASSWORD}    drives: you have about 14 s to answer an offer yourself
            admin / {PASSWORD}     staff: sees everything, answers support chats

Watch a driver's orders in another terminal:

  websocat 'ws://{address}/ws/driver/orders/?token={driver}'

Or paste this into the browser's console on the page above, for a rider's notifications:

  const ws = new WebSocket('ws://{address}/ws/notifications/?token={rider}'); ws.onmessage = (event) => console.log(JSON.parse(event.data));

Ctrl-C stops it. The next start goes on where this one ended.

"
    )
}
