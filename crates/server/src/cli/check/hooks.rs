//! Does the back end answer its hooks?

use reqwest::Url;

use super::{
    super::{block_on, is_local},
    Report,
    secrets::SHORTEST_SECRET,
};
use crate::{
    config::Config,
    hooks::{Finding, probe},
};

const SUBJECT: &str = "hooks";

pub(super) fn check(config: &Config, report: &mut Report) {
    let Some(url) = &config.hooks_url else { return };
    let asking = block_on(async {
        if let Some(finding) = probe(config).await? {
            tell(&finding, config, report);
        }
        Ok(())
    });
    if let Err(error) = asking {
        report.fail(SUBJECT, error.to_string());
    }
    if Url::parse(url).is_ok_and(|url| url.scheme() == "http" && !is_local(host(&url))) {
        report.warn(SUBJECT, "HOOKS_URL is http:// to another machine: whoever is in between can read along");
    }
    if config.hooks_secret.as_ref().is_some_and(|secret| secret.expose().chars().count() < SHORTEST_SECRET) {
        let finding = format!("HOOKS_SECRET is shorter than {SHORTEST_SECRET} characters: it can be guessed");
        report.warn(SUBJECT, finding);
    }
}

fn tell(finding: &Finding, config: &Config, report: &mut Report) {
    match finding {
        Finding::Sound => {
            let names: Vec<_> = config.hooks.iter().map(|hook| hook.as_str()).collect();
            report.ok(SUBJECT, format!("the back end answers; on: {}", names.join(", ")));
        }
        Finding::OtherSecret => {
            report.fail(SUBJECT, "the back end refuses the signature: HOOKS_SECRET differs there, or its clock is off");
        }
        Finding::Unsigned => {
            report.fail(SUBJECT, "nothing at HOOKS_URL asks for a signature: is it the address of the hooks?");
        }
        Finding::SomethingElse(status) => {
            report.fail(SUBJECT, format!("HOOKS_URL answers {status} where hooks answer 404: is it their address?"));
        }
        Finding::Nothing(reason) => report.fail(SUBJECT, format!("the back end does not answer: {reason}")),
    }
}

/// Without the brackets of an IPv6 address.
fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default().trim_matches(['[', ']'])
}
