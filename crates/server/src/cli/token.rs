//! `holodrive token`: issues an access token.

use std::time::Duration;

use anyhow::Context;
use clap::Args;

use super::{block_on, open_accounts, print};
use crate::config::{self, Config};

#[derive(Args)]
pub(super) struct TokenArgs {
    /// The name that the user logs in with
    name: String,
    /// How long the token lasts: seconds, or 90s, 5m, 1h, 1d; `JWT_ACCESS_TOKEN_LIFETIME` if not given
    #[arg(long, value_parser = parse_lifetime)]
    lifetime: Option<Duration>,
}

pub(super) fn run(config: Config, args: &TokenArgs) -> anyhow::Result<()> {
    let lifetime = args.lifetime.unwrap_or(config.jwt_access_token_lifetime);
    block_on(async {
        let accounts = open_accounts(config)?;
        accounts.check_tables().await?;
        let account = accounts.account_by_name(&args.name).await?;
        let account = account.with_context(|| format!("there is no user {:?}", args.name))?;
        print(&format!("{}\n", accounts.access_token(&account, lifetime)?))
    })
}

fn parse_lifetime(text: &str) -> Result<Duration, &'static str> {
    config::lifetime(text).ok_or("must be a time above 0 in seconds, or with a unit: 90s, 5m, 1h, 1d")
}
