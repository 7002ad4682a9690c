//! `serve --demo`: a town that lives.
//!
//! Riders order, a fleet drives through Tashkent, support answers. All of them are ordinary clients: once their accounts
//! exist they use the server's sockets and its HTTP API like anybody else, and pick up where they were after a restart.

mod banner;
mod chat;
mod city;
mod dice;
mod driver;
mod people;
mod pin;
mod rider;
mod support;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use holodrive_client::Api;
use tokio::task::JoinSet;

use self::{dice::Dice, people::Role};
use crate::{
    app::App,
    config::{Config, Source},
};

/// Short enough to see offers move on to the next driver.
const OFFER_TIMEOUT: Duration = Duration::from_secs(20);
/// The same town every time.
const SEED: u64 = 4_131_069_240;

/// The running demo; dropping it sends everybody home.
#[derive(Debug)]
pub struct Demo {
    _actors: JoinSet<()>,
}

/// Adapts what the user left at its default to a demo.
pub fn configure(config: &mut Config) {
    if config.source_of("order_offer_timeout") == Source::Default {
        config.order_offer_timeout = OFFER_TIMEOUT;
    }
}

impl Demo {
    /// Adds the accounts that are missing, tells on standard output how to join, and sets everybody in motion.
    pub async fn start(app: &Arc<App>, address: SocketAddr) -> anyhow::Result<Self> {
        people::ensure_accounts(app).await?;
        banner::print(app, address).await?;
        let api = Api::builder(format!("http://{address}")).jitter_seed(SEED).build()?;
        let mut actors = JoinSet::new();
        for (seed, person) in (SEED..).zip(people::everybody()) {
            let api = api.with_token_source(people::Tokens::of(app, &person.username));
            let dice = Dice::new(seed);
            match person.role {
                Role::Rider => actors.spawn(rider::run(api, dice)),
                Role::Driver => actors.spawn(driver::run(api, dice, person.is_login)),
                Role::Staff => actors.spawn(support::run(api, dice)),
            };
        }
        Ok(Self { _actors: actors })
    }
}
