//! The kinds of value that a setting can have: what each allows, and how its text is read.

use std::{path::PathBuf, time::Duration};

use clap::ValueEnum;
use ipnet::IpNet;
use jsonwebtoken::Algorithm;

use super::parse::{self, filter_directives, identifier, list, none_or, seconds};
use super::setting::Shown;
use super::values::{DatabaseUrl, DispatchMode, DispatchStrategy, LogFormat, Secret, SessionEngine};
use crate::{
    accounts::jwt::TokenClass,
    channel_layer::{Backend, GroupPattern, Rename, Serializer},
    hooks::HookName,
};

/// How the text of a setting becomes its value.
pub(super) struct Kind<T> {
    /// What a value must be; completes the sentence "must be …".
    pub(super) expected: &'static str,
    /// How a value may be shown.
    pub(super) shown: Shown,
    /// Reads the text; `None` when it is malformed.
    pub(super) parse: fn(&str) -> Option<T>,
}

impl<T> Kind<T> {
    const fn plain(expected: &'static str, parse: fn(&str) -> Option<T>) -> Self {
        Self { expected, shown: Shown::Plain, parse }
    }

    const fn masked(expected: &'static str, parse: fn(&str) -> Option<T>) -> Self {
        Self { expected, shown: Shown::Masked, parse }
    }

    const fn url(expected: &'static str, parse: fn(&str) -> Option<T>) -> Self {
        Self { expected, shown: Shown::Url, parse }
    }
}

pub(super) const HOST: Kind<String> = Kind::plain("an IP address or a host name, without port", parse::host);

pub(super) const PORT: Kind<u16> = Kind::plain("a port from 0 to 65535", |text| text.parse().ok());

pub(super) const AUTHORITY: Kind<String> =
    Kind::plain("a host with or without port, such as example.com:9000, without ws:// and path", parse::authority);

pub(super) const ORIGINS: Kind<Vec<String>> =
    Kind::plain("origins with commas between them, such as .example.com,https://example.org:8443", |text| {
        list(text, parse::origin)
    });

pub(super) const NETWORKS: Kind<Vec<IpNet>> =
    Kind::plain("IP addresses or networks with commas between them, such as 10.0.0.0/8,::1", |text| {
        list(text, parse::network)
    });

pub(super) const DATABASE: Kind<DatabaseUrl> =
    Kind::url("sqlite://FILE (sqlite://relative/path or sqlite:///absolute/path) or postgres://…", parse::database_url);

pub(super) const REDIS: Kind<Option<Secret>> = Kind::url("empty or redis://… or rediss://…", |text| {
    none_or(text, |text| parse::url(text, &["redis", "rediss"]).map(Secret::new))
});

pub(super) const REDIS_HOSTS: Kind<Vec<Secret>> =
    Kind::url("redis://HOST:PORT/DB or rediss://…, several with commas between them", |text| {
        list(text, |item| parse::redis(item).map(Secret::new))
    });

pub(super) const LAYER_BACKEND: Kind<Backend> =
    Kind::plain("core or pubsub", |text| Backend::from_str(text, false).ok());

pub(super) const LAYER_SERIALIZER: Kind<Serializer> =
    Kind::plain("msgpack or json", |text| Serializer::from_str(text, false).ok());

pub(super) const GROUPS: Kind<Vec<GroupPattern>> = Kind::plain(
    "endpoint=group with commas between them, such as chat=chat_{id}; endpoints are notifications, chat, driver_orders, \
     rider_orders and tracking",
    |text| list(text, GroupPattern::parse),
);

pub(super) const RENAMES: Kind<Vec<Rename>> =
    Kind::plain("from=to with commas between them, such as typing_indicator=typing", |text| list(text, Rename::parse));

pub(super) const HTTP_URL: Kind<Option<String>> =
    Kind::url("empty or https://… or http://…", |text| none_or(text, |text| parse::url(text, &["https", "http"])));

pub(super) const REQUIRED_HTTP_URL: Kind<String> =
    Kind::url("https://… or http://…", |text| parse::url(text, &["https", "http"]));

pub(super) const OPTIONAL_FILE: Kind<Option<PathBuf>> =
    Kind::plain("the path of a file, or empty", |text| none_or(text, |text| parse::text(text).map(PathBuf::from)));

pub(super) const SECRET: Kind<Secret> =
    Kind::masked("a text that is not empty", |text| parse::text(text).map(Secret::new));

pub(super) const OPTIONAL_SECRET: Kind<Option<Secret>> =
    Kind::masked("a text, or empty", |text| none_or(text, |text| parse::text(text).map(Secret::new)));

pub(super) const SECRETS: Kind<Vec<Secret>> =
    Kind::masked("texts with commas between them, none of them empty", |text| {
        list(text, |item| parse::text(item).map(Secret::new))
    });

pub(super) const KEY: Kind<Option<Secret>> = Kind::masked("empty, a shared secret, or a key in PEM form", |text| {
    Some((!text.is_empty()).then(|| Secret::new(parse::unfold_pem(text))))
});

pub(super) const TEXT: Kind<String> = Kind::plain("a text that is not empty", parse::text);

pub(super) const OPTIONAL_TEXT: Kind<Option<String>> =
    Kind::plain("a text, or empty", |text| none_or(text, parse::text));

pub(super) const TEXTS: Kind<Vec<String>> =
    Kind::plain("texts with commas between them, none of them empty", |text| list(text, parse::text));

pub(super) const SESSION_ENGINE: Kind<SessionEngine> = Kind::plain(
    "django.contrib.sessions.backends.db or django.contrib.sessions.backends.cached_db: sessions that are kept in a cache, in \
     files or in the cookie alone cannot be read by another process",
    SessionEngine::by_name,
);

pub(super) const OPTIONAL_IDENTIFIER: Kind<Option<String>> =
    Kind::plain("empty or a plain SQL identifier: letters, digits and underscores, at most 63", |text| {
        none_or(text, identifier)
    });

pub(super) const IDENTIFIER: Kind<String> = Kind::plain(
    "a plain SQL name: letters, digits and _, not starting with a digit, 63 characters at most",
    identifier,
);

pub(super) const COOKIE_NAME: Kind<String> =
    Kind::plain("a cookie name: letters, digits and any of !#$%&'*+-.^_`|~", parse::cookie_name);

pub(super) const SWITCH: Kind<bool> = Kind::plain("true or false", parse::switch);

pub(super) const ALGORITHM: Kind<Algorithm> =
    Kind::plain("one of HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA", |text| {
        text.parse().ok()
    });

pub(super) const TOKEN_CLASSES: Kind<Vec<TokenClass>> =
    Kind::plain("AccessToken or SlidingToken, or both with a comma between them", |text| {
        list(text, |name| name.parse().ok()).filter(|classes| !classes.is_empty())
    });

pub(super) const HOOKS: Kind<Vec<HookName>> = Kind::plain(
    "any of driver_orders, chat_access, chat_message, read_message, mark_as_read, connected, disconnected and push, \
     with commas between them",
    |text| list(text, HookName::named),
);

pub(super) const RETRIES: Kind<u32> =
    Kind::plain("a whole number from 0 to 10", |text| text.parse().ok().filter(|n| *n <= 10));

pub(super) const LIFETIME: Kind<Duration> =
    Kind::plain("a time above 0 in seconds, or with a unit: 90s, 5m, 1h, 1d", parse::lifetime);

pub(super) const SECONDS: Kind<Duration> =
    Kind::plain("a number of seconds above 0, such as 300 or 0.5", |text| seconds(text).filter(|time| !time.is_zero()));

pub(super) const SECONDS_OR_ZERO: Kind<Duration> = Kind::plain("a number of seconds, such as 120, 0.5 or 0", seconds);

pub(super) const SECONDS_OR_OFF: Kind<Option<Duration>> =
    Kind::plain("a number of seconds, such as 20 or 0.5; 0 switches it off", |text| {
        seconds(text).map(|time| Some(time).filter(|time| !time.is_zero()))
    });

pub(super) const COUNT: Kind<u32> =
    Kind::plain("a whole number from 1 to 1000", |text| text.parse().ok().filter(|n| (1..=1000).contains(n)));

pub(super) const QUEUE_LENGTH: Kind<u32> =
    Kind::plain("a whole number from 1 to 4294967295", |text| text.parse().ok().filter(|n| *n > 0));

pub(super) const COUNT_OR_CORES: Kind<Option<usize>> =
    Kind::plain("a whole number up to 1000; 0 is one for each core", |text| {
        text.parse().ok().filter(|n| *n <= 1000).map(|n| Some(n).filter(|n| *n > 0))
    });

pub(super) const COUNT_OR_OFF: Kind<Option<u32>> =
    Kind::plain("a whole number up to 4294967295; 0 switches it off", |text| {
        text.parse().ok().map(|n| Some(n).filter(|n| *n > 0))
    });

pub(super) const BYTES_OR_OFF: Kind<Option<usize>> =
    Kind::plain("a whole number of bytes; 0 switches it off", |text| {
        text.parse().ok().map(|n| Some(n).filter(|n| *n > 0))
    });

pub(super) const KILOMETRES: Kind<f64> = Kind::plain("a number of kilometres above 0, 20000 at most", |text| {
    text.parse().ok().filter(|km| *km > 0.0 && *km <= 20_000.0)
});

pub(super) const FACTOR: Kind<f64> =
    Kind::plain("a number from 1 to 10", |text| text.parse().ok().filter(|factor| (1.0..=10.0).contains(factor)));

pub(super) const SPEED: Kind<f64> = Kind::plain("a number of kilometres an hour from 1 to 200", |text| {
    text.parse().ok().filter(|speed| (1.0..=200.0).contains(speed))
});

pub(super) const PROFILE: Kind<String> = Kind::plain("letters, digits, - and _", |text| {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    parse::text(text).filter(|name| name.chars().all(is_plain))
});

pub(super) const KILOMETRES_OR_ZERO: Kind<f64> =
    Kind::plain("a number of kilometres, such as 0.1 or 0, 20000 at most", |text| {
        text.parse().ok().filter(|km| (0.0..=20_000.0).contains(km))
    });

pub(super) const DISPATCH_MODE: Kind<DispatchMode> =
    Kind::plain("auto or manual", |text| DispatchMode::from_str(text, false).ok());

pub(super) const DISPATCH_STRATEGY: Kind<DispatchStrategy> =
    Kind::plain("sequential, broadcast or batch", |text| DispatchStrategy::from_str(text, false).ok());

pub(super) const LOG_FORMAT: Kind<LogFormat> =
    Kind::plain("text or json", |text| LogFormat::from_str(text, false).ok());

pub(super) const LOG_FILTER: Kind<String> = Kind::plain(
    "off, error, warn, info, debug or trace, and with commas more of them as target=level",
    filter_directives,
);
