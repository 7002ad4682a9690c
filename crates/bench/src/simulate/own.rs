//! Settings of the server on the command line.

use anyhow::Context;

use crate::site::Settings;

/// Settings of the server that are tried out, as the rule `yours`.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "A rule of your own: the server's defaults, but for")]
pub(crate) struct Own {
    /// `ORDER_OFFER_TIMEOUT`: time that a driver has to accept an offer
    #[arg(long, value_name = "SECONDS")]
    offer_timeout: Option<String>,
    /// `ORDER_OFFER_UNREACHABLE_TIMEOUT`: after that an offer that did not reach the phone moves on; 0: never
    #[arg(long, value_name = "SECONDS")]
    unreachable_timeout: Option<String>,
    /// `DISPATCH_RADIUS_KM`: how far a driver may be from the pickup
    #[arg(long, value_name = "KM")]
    radius: Option<String>,
    /// `DISPATCH_START_RADIUS_KM`: how far he may be at first, while more orders than drivers wait
    #[arg(long, value_name = "KM")]
    start_radius: Option<String>,
    /// `DISPATCH_RADIUS_GROWTH`: by how much that grows with each minute
    #[arg(long, value_name = "KM")]
    radius_growth: Option<String>,
    /// `DISPATCH_AGE_WEIGHT`: how many kilometres a minute of waiting is worth
    #[arg(long, value_name = "KM")]
    age_weight: Option<String>,
    /// `DISPATCH_STRATEGY`: `sequential`, `broadcast` or `batch`
    #[arg(long, value_name = "NAME")]
    strategy: Option<String>,
    /// Any other setting of the server, such as `ORDER_REOFFER_AFTER=60`; may be repeated
    #[arg(long = "set", value_name = "SETTING=VALUE", value_parser = setting)]
    others: Vec<(String, String)>,
}

impl Own {
    /// What was given, by the names of the variables.
    pub(crate) fn settings(&self) -> Settings {
        let named = [
            ("ORDER_OFFER_TIMEOUT", &self.offer_timeout),
            ("ORDER_OFFER_UNREACHABLE_TIMEOUT", &self.unreachable_timeout),
            ("DISPATCH_RADIUS_KM", &self.radius),
            ("DISPATCH_START_RADIUS_KM", &self.start_radius),
            ("DISPATCH_RADIUS_GROWTH", &self.radius_growth),
            ("DISPATCH_AGE_WEIGHT", &self.age_weight),
            ("DISPATCH_STRATEGY", &self.strategy),
        ];
        let named = named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)));
        named.chain(self.others.iter().cloned()).collect()
    }
}

fn setting(text: &str) -> anyhow::Result<(String, String)> {
    let (name, value) = text.split_once('=').context("must be SETTING=VALUE")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}
