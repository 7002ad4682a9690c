//! `holodrive migrate`: brings the database's schema up to date.

use super::{open_database, print};
use crate::{config::Config, telemetry::logging};

pub(super) fn run(config: &Config) -> anyhow::Result<()> {
    logging::init(config)?;
    open_database(config)?;
    print("the database is up to date\n")
}
