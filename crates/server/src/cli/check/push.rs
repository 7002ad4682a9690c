//! Can drivers be told by push?

use std::sync::Arc;

use reqwest::Url;

use super::{
    super::{block_on, is_local},
    Report,
};
use crate::{
    clock::{SharedClock, SystemClock},
    config::Config,
    push::{Finding, Ways},
};

const SUBJECT: &str = "push";

pub(super) fn check(config: &Config, report: &mut Report) {
    let asking = block_on(async {
        let clock: SharedClock = Arc::new(SystemClock);
        // The hook has a check of its own.
        for (service, finding) in Ways::new(config, &clock, None)?.probe().await {
            tell(service, finding, report);
        }
        Ok(())
    });
    if let Err(error) = asking {
        report.fail(SUBJECT, error.to_string());
    }
    let addresses = [
        ("FCM_URL", &config.fcm_url, config.fcm_credentials.is_some()),
        ("APNS_URL", &config.apns_url, config.apns_key.is_some()),
    ];
    for (setting, url, _) in addresses.into_iter().filter(|(.., is_on)| *is_on) {
        if Url::parse(url).is_ok_and(|url| url.scheme() == "http" && !is_local(url.host_str().unwrap_or_default())) {
            report.warn(
                SUBJECT,
                format!("{setting} is http:// to another machine: whoever is in between can read along"),
            );
        }
    }
}

fn tell(service: &str, finding: Finding, report: &mut Report) {
    match finding {
        Finding::Sound => report.ok(SUBJECT, format!("{service} answers, and takes our credentials")),
        Finding::Problem(reason) => report.fail(SUBJECT, format!("{service} cannot be used: {reason}")),
    }
}
