//! Are the secrets hard to guess, well kept, and usable?

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::Report;
use crate::{
    accounts::{
        AccountsOptions,
        jwt::{Jwt, KeyError},
    },
    config::{Config, Secret, Source},
};

/// Django's own measure of a secret key.
const SECRET_KEY_CHARACTERS: usize = 50;
const SECRET_KEY_DISTINCT: usize = 5;
const INSECURE_PREFIX: &str = "django-insecure-";

/// Characters of the shortest secret, shared with a back end, that cannot be guessed.
pub(super) const SHORTEST_SECRET: usize = 20;

/// Bits of the file mode that let others in.
const OTHERS: u32 = 0o077;

pub(super) fn check(config: &Config, report: &mut Report) {
    check_secret_key(config, report);
    check_file_mode(config, report);
    check_tokens(config, report);
    check_api_keys(&config.api_keys, report);
}

fn check_secret_key(config: &Config, report: &mut Report) {
    let source = config.source_of("secret_key");
    let key = config.secret_key.expose();
    let distinct = key.chars().collect::<BTreeSet<_>>().len();
    if key.is_empty() {
        report.ok("secret key", format!("the first start makes {}", config.secret_key_file().display()));
    } else if key.starts_with(INSECURE_PREFIX) {
        report.warn("secret key", format!("made by Django for development ({source}): begins with {INSECURE_PREFIX}"));
    } else if key.chars().count() < SECRET_KEY_CHARACTERS || distinct < SECRET_KEY_DISTINCT {
        let finding = format!("weak ({source}): it should be random, of {SECRET_KEY_CHARACTERS} characters or more");
        report.warn("secret key", finding);
    } else {
        report.ok("secret key", format!("strong ({source})"));
    }
}

fn check_file_mode(config: &Config, report: &mut Report) {
    let file = config.secret_key_file();
    if config.source_of("secret_key") != Source::Generated {
        return;
    }
    if fs::metadata(&file).is_ok_and(|metadata| metadata.permissions().mode() & OTHERS != 0) {
        let file = file.display();
        report.warn("secret key", format!("other users of this machine can read {file}: chmod 600 {file}"));
    }
}

fn check_tokens(config: &Config, report: &mut Report) {
    let algorithm = config.jwt_algorithm;
    match Jwt::new(AccountsOptions::from(config).jwt) {
        Ok(_) => report.ok("tokens", format!("{algorithm:?}, the keys are usable")),
        Err(KeyError::NoSecret) if config.secret_key.expose().is_empty() => {
            report.ok("tokens", format!("{algorithm:?}, with the secret key that the first start makes"));
        }
        Err(error) => report.fail("tokens", error.to_string()),
    }
}

fn check_api_keys(keys: &[Secret], report: &mut Report) {
    let short = keys.iter().filter(|key| key.expose().chars().count() < SHORTEST_SECRET).count();
    match (keys.len(), short) {
        (0, _) => report.ok("API keys", "none: no back end has access"),
        (all, 0) => report.ok("API keys", format!("{all}")),
        (all, short) => {
            let finding = format!("{short} of {all} shorter than {SHORTEST_SECRET} characters: they can be guessed");
            report.warn("API keys", finding);
        }
    }
}
