#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use super::*;
use crate::accounts::jwt::TokenClass;

fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn sources(pairs: &[(&str, &str)]) -> Sources {
    let mut environment = values(&[("SECRET_KEY", "secret")]);
    environment.extend(values(pairs));
    Sources { environment, ..Sources::default() }
}

fn load(pairs: &[(&str, &str)]) -> Config {
    Config::load(&sources(pairs)).unwrap()
}

fn error(pairs: &[(&str, &str)]) -> String {
    Config::load(&sources(pairs)).expect_err("malformed").to_string()
}

fn shown(config: &Config, field: &str) -> String {
    let found = config.effective().iter().find(|effective| effective.setting.field == field);
    found.unwrap().value.clone()
}

#[test]
fn flag_wins_over_environment_over_dotenv_over_default() {
    let mut sources = sources(&[]);
    let expect = |port: u16, source: Source, sources: &Sources| {
        let config = Config::load(sources).unwrap();
        assert_eq!(config.websocket_port, port);
        assert_eq!(config.source_of("websocket_port"), source);
    };
    expect(9000, Source::Default, &sources);
    sources.dotenv = values(&[("WEBSOCKET_PORT", "1")]);
    expect(1, Source::DotEnv, &sources);
    sources.environment.extend(values(&[("WEBSOCKET_PORT", "2")]));
    expect(2, Source::Environment, &sources);
    sources.flags = values(&[("WEBSOCKET_PORT", "3")]);
    expect(3, Source::Flag, &sources);
}

#[test]
fn defaults_are_those_of_the_contract() {
    let config = load(&[]);
    assert_eq!(config.websocket_url, "127.0.0.1:9000");
    assert_eq!(config.database_url, DatabaseUrl::Sqlite("data/holodrive.db".into()));
    assert_eq!(config.order_offer_timeout, Duration::from_mins(5));
    assert_eq!(config.order_offer_unreachable_timeout, Some(Duration::from_secs(20)));
    assert_eq!(config.orders_per_rider, None);
    assert_eq!(config.jwt_access_token_lifetime, Duration::from_mins(5));
    assert_eq!(config.jwt_refresh_token_lifetime, Duration::from_hours(24));
    assert_eq!(config.jwt_auth_token_classes, [TokenClass::Access]);
    assert_eq!(config.max_message_bytes, Some(65_536));
    assert_eq!(config.max_connections_per_ip, None);
    assert_eq!(config.dispatch_mode, DispatchMode::Auto);
    assert!(config.allowed_origins.is_empty());
}

#[test]
fn every_kind_of_value_is_read() {
    let config = load(&[
        ("WEBSOCKET_HOST", " [::1] "),
        ("ALLOWED_ORIGINS", ".example.com, https://app.example.org:8443,*"),
        ("TRUSTED_PROXIES", "10.0.0.0/8,::1"),
        ("DATABASE_URL", "sqlite:///var/lib/ride.db"),
        ("API_KEYS", "one,two"),
        ("JWT_ALGORITHM", "ES256"),
        ("JWT_SIGNING_KEY", r"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"),
        ("JWT_ACCESS_TOKEN_LIFETIME", "1.5h"),
        ("JWT_AUTH_TOKEN_CLASSES", "rest_framework_simplejwt.tokens.SlidingToken"),
        ("ORDER_OFFER_TIMEOUT", "0.25"),
        ("HEARTBEAT_INTERVAL", "0"),
        ("DISPATCH_MODE", "manual"),
        ("SECURE_COOKIES", "True"),
        ("LOG_LEVEL", "warn,holodrive::dispatch=debug"),
        ("LOG_FORMAT", "json"),
    ]);
    assert_eq!(config.websocket_url, "[::1]:9000");
    assert_eq!(config.allowed_origins, [".example.com", "https://app.example.org:8443", "*"]);
    assert!(config.trusted_proxies[0].contains(&"10.1.2.3".parse::<std::net::IpAddr>().unwrap()));
    assert_eq!(config.database_url.data_dir(), Path::new("/var/lib"));
    assert_eq!(config.api_keys, [Secret::new("one"), Secret::new("two")]);
    assert_eq!(config.jwt_signing_key.unwrap().expose().lines().count(), 3);
    assert_eq!(config.jwt_access_token_lifetime, Duration::from_mins(90));
    assert_eq!(config.jwt_auth_token_classes, [TokenClass::Sliding]);
    assert_eq!(config.order_offer_timeout, Duration::from_millis(250));
    assert_eq!(config.heartbeat_interval, None);
    assert_eq!(config.dispatch_mode, DispatchMode::Manual);
    assert!(config.secure_cookies);
    assert_eq!(config.log_format, LogFormat::Json);
}

#[test]
fn a_malformed_value_gives_one_line_with_variable_source_value_and_rule() {
    assert_eq!(
        error(&[("ORDER_OFFER_TIMEOUT", "soon")]),
        "ORDER_OFFER_TIMEOUT (environment) is \"soon\", but must be a number of seconds above 0, such as 300 or 0.5"
    );
    let malformed = [
        ("WEBSOCKET_HOST", "ws://localhost"),
        ("WEBSOCKET_PORT", "65536"),
        ("WEBSOCKET_URL", "wss://example.com/"),
        ("WEBSOCKET_URL", "example.com:port"),
        ("ALLOWED_ORIGINS", "example.com:8443"),
        ("ALLOWED_ORIGINS", "https://"),
        ("ALLOWED_ORIGINS", "a.example,,b.example"),
        ("TRUSTED_PROXIES", "10.0.0.0/33"),
        ("DATABASE_URL", "mysql://db/ride"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_READERS", "0"),
        ("REDIS_URL", "localhost:6379"),
        ("CHANNEL_LAYER_URL", "redis://one,localhost:6379"),
        ("CHANNEL_LAYER_URL", "redis://one:port"),
        ("CHANNEL_LAYER_BACKEND", "memory"),
        ("CHANNEL_LAYER_PREFIX", ""),
        ("CHANNEL_LAYER_SERIALIZER", "pickle"),
        ("CHANNEL_LAYER_GROUPS", "chat"),
        ("CHANNEL_LAYER_RENAMES", "typing"),
        ("CHANNEL_LAYER_QUEUES", "0"),
        ("SESSION_COOKIE_NAME", "session id"),
        ("SECURE_COOKIES", "maybe"),
        ("JWT_ALGORITHM", "none"),
        ("JWT_ALGORITHM", "hs256"),
        ("JWT_JWK_URL", "file:///etc/passwd"),
        ("JWT_ACCESS_TOKEN_LIFETIME", "5 minutes"),
        ("JWT_ACCESS_TOKEN_LIFETIME", "0"),
        ("JWT_ACCESS_TOKEN_LIFETIME", "99999d"),
        ("JWT_AUTH_TOKEN_CLASSES", ""),
        ("AUTH_USER_TABLE", "auth_user; drop table auth_user"),
        ("AUTH_USER_TABLE", "1st"),
        ("DRIVER_GROUP", ""),
        ("ORDER_OFFER_TIMEOUT", "0"),
        ("ORDER_OFFER_TIMEOUT", "-1"),
        ("ORDER_OFFER_TIMEOUT", "inf"),
        ("ORDER_OFFER_TIMEOUT", "NaN"),
        ("ORDER_OFFER_TIMEOUT", "1e300"),
        ("ORDERS_PER_RIDER", "-1"),
        ("DISPATCH_MODE", "automatic"),
        ("DISPATCH_RADIUS_KM", "0"),
        ("MAX_MESSAGE_BYTES", "64k"),
        ("LOG_LEVEL", "verbose"),
        ("LOG_LEVEL", "holodrive=loud"),
        ("LOG_FORMAT", "xml\nINFO forged line"),
    ];
    for (variable, value) in malformed {
        let line = error(&[(variable, value)]);
        assert!(line.starts_with(&format!("{variable} (environment) is \"")), "{line}");
        assert!(line.contains("\", but must be "), "{line}");
        assert_eq!(line.lines().count(), 1, "{line}");
    }
}

#[test]
fn secrets_stay_out_of_errors_listings_and_debug_output() {
    let line = error(&[("API_KEYS", "hunter2,,")]);
    assert!(line.starts_with("API_KEYS (environment) is \"********\""), "{line}");

    let config = load(&[
        ("SECRET_KEY", "hunter2"),
        ("SECRET_KEY_FALLBACKS", "hunter2,hunter2"),
        ("JWT_SIGNING_KEY", "hunter2"),
        ("API_KEYS", "hunter2"),
        ("DATABASE_URL", "postgres://app:hunter2@db/ride"),
        ("REDIS_URL", "redis://:hunter2@cache"),
        ("CHANNEL_LAYER_URL", "redis://:hunter2@one,rediss://app:hunter2@two/1"),
        ("CHANNEL_LAYER_ENCRYPTION_KEYS", "hunter2"),
    ]);
    let listing: String = config.effective().iter().map(|effective| &*effective.value).collect();
    assert!(!listing.contains("hunter2"), "{listing}");
    assert!(!format!("{config:?}").contains("hunter2"));
    assert_eq!(shown(&config, "database_url"), "postgres://********@db/ride");
}

#[test]
fn a_long_malformed_value_is_cut() {
    let line = error(&[("WEBSOCKET_PORT", &"9".repeat(10_000))]);
    assert!(line.len() < 250, "{line}");
}

#[test]
fn the_secret_key_is_generated_once_and_only_when_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}/data/holodrive.db", folder.path().display());
    let sources = Sources { flags: values(&[("DATABASE_URL", &database)]), ..Sources::default() };

    let mut first = Config::load(&sources).unwrap();
    assert_eq!(first.secret_key, Secret::default());
    assert!(!folder.path().join("data").exists());

    first.ensure_secret_key().unwrap();
    assert_eq!(first.source_of("secret_key"), Source::Generated);
    let second = Config::load(&sources).unwrap();
    assert_eq!(second.secret_key, first.secret_key);
    assert_eq!(second.source_of("secret_key"), Source::Generated);
    assert_eq!(shown(&second, "secret_key"), "********");
}

#[test]
fn a_set_secret_key_writes_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::for_tests(folder.path(), &[]).unwrap();
    config.ensure_secret_key().unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn the_announced_port_follows_the_real_one_unless_the_url_is_set() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::for_tests(folder.path(), &[]).unwrap();
    config.announce_port(40_001);
    assert_eq!(config.websocket_url, "127.0.0.1:40001");

    let set = [("WEBSOCKET_URL", "ride.example")];
    let mut config = Config::for_tests(folder.path(), &set).unwrap();
    config.announce_port(40_001);
    assert_eq!(config.websocket_url, "ride.example");
}

#[test]
fn the_reference_in_the_repository_is_in_step_with_the_table() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    let committed = fs::read_to_string(file).unwrap_or_default();
    assert!(
        committed == reference(),
        "docs/configuration.md is out of step with the table of settings; \
         renew it: cargo run -- config --reference > docs/configuration.md"
    );
}
