//! Readers of single values. Each returns `None` for a malformed text.

use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use http::uri::Authority;
use ipnet::IpNet;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use super::values::{DatabaseUrl, Secret};
use crate::{accounts::AllowedOrigins, channel_layer::redis::is_address};

/// Ten years. Keeps every instant that is computed from a setting far from overflow.
const LONGEST: Duration = Duration::from_hours(10 * 365 * 24);

/// Longest name that PostgreSQL keeps whole.
const LONGEST_IDENTIFIER: usize = 63;

/// The items between commas; an empty text has none.
pub(super) fn list<T>(text: &str, item: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    if text.trim().is_empty() {
        return Some(Vec::new());
    }
    text.split(',').map(|part| item(part.trim())).collect()
}

/// An empty text is a valid "none".
#[expect(clippy::option_option, reason = "outside: whether it is well-formed; inside: whether there is one")]
pub(super) fn none_or<T>(text: &str, read: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    if text.is_empty() { Some(None) } else { read(text).map(Some) }
}

pub(super) fn text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// A host name or address; an IPv6 address loses its brackets.
pub(super) fn host(text: &str) -> Option<String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Some(address) = bare {
        return address.parse::<Ipv6Addr>().ok().map(|address| address.to_string());
    }
    let is_name =
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
    (is_name || text.parse::<IpAddr>().is_ok()).then(|| text.to_owned())
}

pub(super) fn authority(text: &str) -> Option<String> {
    let authority: Authority = text.parse().ok()?;
    let bare_host = authority.as_str() == authority.host();
    let complete = bare_host || authority.port_u16().is_some();
    (complete && !text.contains('@')).then(|| text.to_owned())
}

/// One of Django's origin patterns.
pub(super) fn origin(text: &str) -> Option<String> {
    (!text.is_empty() && AllowedOrigins::parse([text]).is_ok()).then(|| text.to_owned())
}

pub(super) fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

pub(super) fn database_url(text: &str) -> Option<DatabaseUrl> {
    if let Some(path) = text.strip_prefix("sqlite://") {
        let is_file = !path.is_empty() && !path.ends_with('/') && !path.contains('?');
        return is_file.then(|| DatabaseUrl::Sqlite(PathBuf::from(path)));
    }
    url(text, &["postgres", "postgresql"]).map(|url| DatabaseUrl::Postgres(Secret::new(url)))
}

/// A URL with one of the schemes and something behind it.
pub(super) fn url(text: &str, schemes: &[&str]) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let well_formed = schemes.contains(&scheme) && !rest.is_empty() && !rest.contains(char::is_whitespace);
    well_formed.then(|| text.to_owned())
}

/// The address of a Redis server.
pub(super) fn redis(text: &str) -> Option<String> {
    url(text, &["redis", "rediss"]).filter(|url| is_address(url))
}

/// Environments often cannot hold line breaks, so a PEM key may carry `\n` in their place.
pub(super) fn unfold_pem(text: &str) -> String {
    if text.starts_with("-----BEGIN") { text.replace("\\n", "\n") } else { text.to_owned() }
}

/// A name that can stand in SQL text unquoted.
pub(super) fn identifier(text: &str) -> Option<String> {
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && (1..=LONGEST_IDENTIFIER).contains(&text.len());
    plain.then(|| text.to_owned())
}

pub(super) fn cookie_name(text: &str) -> Option<String> {
    let is_token =
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
    is_token.then(|| text.to_owned())
}

pub(super) fn switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

pub(super) fn seconds(text: &str) -> Option<Duration> {
    let time = Duration::try_from_secs_f64(text.parse().ok()?).ok()?;
    (time <= LONGEST).then_some(time)
}

/// A time above zero in seconds, or with a unit: `90s`, `5m`, `1h`, `1d`.
pub fn lifetime(text: &str) -> Option<Duration> {
    const UNITS: [(char, f64); 4] = [('s', 1.0), ('m', 60.0), ('h', 3_600.0), ('d', 86_400.0)];
    let (number, unit) =
        UNITS.iter().find_map(|(suffix, unit)| Some((text.strip_suffix(*suffix)?, *unit))).unwrap_or((text, 1.0));
    let time = Duration::try_from_secs_f64(number.parse::<f64>().ok()? * unit).ok()?;
    (!time.is_zero() && time <= LONGEST).then_some(time)
}

/// Directives of the log filter. A bare word must be a level: the filter would take `verbose` for the
/// name of a module, and stay silent.
pub(super) fn filter_directives(text: &str) -> Option<String> {
    let understood = text
        .split(',')
        .map(str::trim)
        .all(|directive| directive.parse::<LevelFilter>().is_ok() || directive.contains('='));
    (understood && !text.is_empty() && EnvFilter::try_new(text).is_ok()).then(|| text.to_owned())
}
