//! The table of all settings. Everything else about them derives from here: the type [`Config`], names
//! of variables and flags, defaults, `holodrive --help` and `docs/configuration.md`.

use std::{path::PathBuf, time::Duration};

use ipnet::IpNet;
use jsonwebtoken::Algorithm;

use super::kinds;
use super::setting::{Default, Setting, default, read, settings};
use super::values::{DatabaseUrl, DispatchMode, DispatchStrategy, LogFormat, Secret, SessionEngine};
use crate::{
    accounts::jwt::TokenClass,
    channel_layer::{Backend, GroupPattern, Rename, Serializer},
    hooks::HookName,
};

settings! {
    "Network" {
        /// Where to listen. HTTP and WebSocket share the address.
        websocket_host: String = HOST("127.0.0.1");
        /// The port to listen on; `0` takes any free one.
        websocket_port: u16 = PORT("9000");
        /// The public authority that clients are told: in `GET /api/me/`, in both API documents, on the
        /// console.
        websocket_url: String = AUTHORITY(derived "{WEBSOCKET_HOST}:{WEBSOCKET_PORT}");
        /// Origins that a browser may connect from, in Django's pattern rules: a host, `.example.com` for a
        /// domain with all below it, `*`, or `https://…` where scheme and port count too. None: the server's
        /// own host only.
        allowed_origins: Vec<String> = ORIGINS("");
        /// Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
        trusted_proxies: Vec<IpNet> = NETWORKS("");
        /// Event loops that carry the sockets, each on a thread of its own; `0` is one for each core. Each takes
        /// nearly as many sockets as the limit of open files (`ulimit -Hn`), where Linux allows `unshare`.
        event_loops: Option<usize> = COUNT_OR_CORES("0");
    }

    "Storage" {
        /// The database: the embedded one in a file, or a PostgreSQL server, such as Django's.
        database_url: DatabaseUrl = DATABASE("sqlite://data/holodrive.db");
        /// The PostgreSQL schema of our own tables, made where it is missing; Django's are found by the role's search path.
        /// None: where Django's are.
        database_schema: Option<String> = OPTIONAL_IDENTIFIER("");
        /// How long PostgreSQL may take for one answer. After that, requests are answered with 503 and messages with
        /// `unavailable`, until it is back.
        database_timeout: Duration = SECONDS("5");
        /// Connections that only read, beside the one that writes.
        database_readers: u32 = COUNT("4");
        /// Writes that share one commit at the most; `1` syncs each of them alone.
        write_batch: u32 = COUNT("256");
        /// Redis through which nodes reach each other's clients. Not supported yet.
        redis_url: Option<Secret> = REDIS("");
    }

    "Keys and sessions" {
        /// Signs sessions and tokens. Beside Django: its `SECRET_KEY`.
        secret_key: Secret = SECRET(derived "generated once into `data/secret_key`");
        /// Earlier secret keys, whose sessions still count.
        secret_key_fallbacks: Vec<Secret> = SECRETS("");
        /// Django's `SESSION_ENGINE`. Sessions are read from the table `django_session`, so it is `db` or `cached_db`.
        session_engine: SessionEngine = SESSION_ENGINE("django.contrib.sessions.backends.db");
        /// Name of the session cookie.
        session_cookie_name: String = COOKIE_NAME("sessionid");
        /// How long a login lasts.
        session_cookie_age: Duration = SECONDS("1209600");
        /// Django's `AUTHENTICATION_BACKENDS`: only sessions that one of these opened count.
        authentication_backends: Vec<String> = TEXTS("django.contrib.auth.backends.ModelBackend");
        /// Name of the CSRF cookie.
        csrf_cookie_name: String = COOKIE_NAME("csrftoken");
        /// Whether browsers send our cookies over HTTPS only. Switch it on wherever the public address is
        /// HTTPS.
        secure_cookies: bool = SWITCH("false");
        /// Keys of trusted back ends, sent as `Authorization: Api-Key KEY`.
        api_keys: Vec<Secret> = SECRETS("");
    }

    "Tokens" {
        /// The one algorithm that signs tokens.
        jwt_algorithm: Algorithm = ALGORITHM("HS256");
        /// Signs tokens. None: `SECRET_KEY`. The private key in PEM form for RS, PS, ES and EdDSA.
        jwt_signing_key: Option<Secret> = KEY("");
        /// The public key in PEM form for RS, PS, ES and EdDSA.
        jwt_verifying_key: Option<Secret> = KEY("");
        /// Where an identity provider publishes its public keys (JWKS).
        jwt_jwk_url: Option<String> = HTTP_URL("");
        /// Audiences of which a token must name one. None: not checked.
        jwt_audience: Vec<String> = TEXTS("");
        /// Issuer that a token must name. None: not checked.
        jwt_issuer: Option<String> = OPTIONAL_TEXT("");
        /// By how much other clocks may be off.
        jwt_leeway: Duration = SECONDS_OR_ZERO("0");
        /// Whether a changed password ends the tokens issued before.
        jwt_check_revoke_token: bool = SWITCH("false");
        /// Whether a token of a user who is not active is refused.
        jwt_check_user_is_active: bool = SWITCH("true");
        /// Column of the user table that the token's user claim holds.
        jwt_user_id_field: String = IDENTIFIER("id");
        /// Claim that names the user.
        jwt_user_id_claim: String = TEXT("user_id");
        /// Kinds of token that open a connection.
        jwt_auth_token_classes: Vec<TokenClass> = TOKEN_CLASSES("AccessToken");
        /// How long an access token lasts.
        jwt_access_token_lifetime: Duration = LIFETIME("5m");
        /// How long a refresh token lasts.
        jwt_refresh_token_lifetime: Duration = LIFETIME("1d");
    }

    "Users" {
        /// Table of the users, for a custom user model.
        auth_user_table: String = IDENTIFIER("auth_user");
        /// Table that says who is in which group.
        auth_user_groups_table: String = IDENTIFIER("auth_user_groups");
        /// Its column that names the user.
        auth_user_groups_user_column: String = IDENTIFIER("user_id");
        /// Column of the user table that one logs in with, and its name in `POST /api/token/`.
        auth_login_field: String = IDENTIFIER("username");
        /// The group that makes a user a driver.
        driver_group: String = TEXT("Driver");
    }

    "Orders and dispatch" {
        /// Time that a driver has to accept an offer.
        order_offer_timeout: Duration = SECONDS("300");
        /// Time after which an offer that never reached the driver's device is withdrawn.
        order_offer_unreachable_timeout: Option<Duration> = SECONDS_OR_OFF("20");
        /// Live offers that one driver may hold.
        order_offers_per_driver: u32 = COUNT("1");
        /// Time until a driver who declined, missed or never got an offer may be offered the same order
        /// again.
        order_reoffer_after: Duration = SECONDS_OR_ZERO("120");
        /// Open orders that a rider may have.
        orders_per_rider: Option<u32> = COUNT_OR_OFF("0");
        /// Time until an order that nobody takes ends as `no_driver`; for one with `pickup_at`, counted from then.
        order_search_timeout: Duration = SECONDS("900");
        /// How long before `pickup_at` the search for a driver begins.
        order_schedule_lead: Duration = SECONDS_OR_ZERO("900");
        /// Whether a driver needs the PIN that the rider is shown to start the trip.
        order_start_pin: bool = SWITCH("false");
        /// Time without a sign of life after which a driver who is on his way to a rider loses the order, and it searches again.
        /// Off, unless set: as long as nobody reaches him he may still be on his way there.
        order_driver_unreachable_timeout: Option<Duration> = SECONDS_OR_OFF("0");
        /// Time without a socket, a poll or a position after which an online driver gets no offers.
        driver_stale_after: Duration = SECONDS("60");
        /// `auto` offers to drivers by itself; `manual` leaves it to `assign`.
        dispatch_mode: DispatchMode = DISPATCH_MODE("auto");
        /// How far a driver may be from the pickup.
        dispatch_radius_km: f64 = KILOMETRES("10");
        /// How far he may be at first while more orders than drivers wait: somebody nearer may be free in a moment.
        dispatch_start_radius_km: f64 = KILOMETRES("3");
        /// By how much that grows with each minute, up to `DISPATCH_RADIUS_KM`, in kilometres.
        dispatch_radius_growth: f64 = KILOMETRES_OR_ZERO("1");
        /// A driver who becomes free gets the nearest order that waits; each minute of waiting counts as so many kilometres
        /// less, so that nobody far away waits for ever.
        dispatch_age_weight: f64 = KILOMETRES_OR_ZERO("0.1");
        /// How orders and drivers are brought together: `sequential` offers an order to one driver after another,
        /// `broadcast` to several at once, of whom the first who accepts has it, and `batch` matches what came up within
        /// a time together, so that the sum of all ways to the pickups is the least.
        dispatch_strategy: DispatchStrategy = DISPATCH_STRATEGY("sequential");
        /// With `broadcast`: drivers who have an offer of the same order at once.
        dispatch_broadcast_offers: u32 = COUNT("3");
        /// With `batch`: how long is gathered.
        dispatch_batch_interval: Duration = SECONDS("2");
    }

    "Times of arrival" {
        /// How much longer the way by road is than the straight line.
        eta_detour_factor: f64 = FACTOR("1.4");
        /// Speed at which drivers get on, stops included, in kilometres an hour.
        eta_speed_kmh: f64 = SPEED("25");
        /// An OSRM server that knows the roads, such as `http://osrm:5000`. None, and while it does not answer: the straight line.
        routing_url: Option<String> = HTTP_URL("");
        /// Its profile.
        routing_profile: String = PROFILE("driving");
        /// How long it may take for one answer.
        routing_timeout: Duration = SECONDS("2");
    }

    "Channel layer" {
        /// The Redis of Django's channel layer (`hosts` of `channels_redis`), through which `group_send` reaches the
        /// sockets; several servers in the same order as there. None: no channel layer.
        channel_layer_url: Vec<Secret> = REDIS_HOSTS("");
        /// Which layer of `channels_redis` Django uses: `core` or `pubsub`.
        channel_layer_backend: Backend = LAYER_BACKEND("core");
        /// Its `prefix`.
        channel_layer_prefix: String = TEXT("asgi");
        /// Its `serializer_format`.
        channel_layer_serializer: Serializer = LAYER_SERIALIZER("msgpack");
        /// Its `symmetric_encryption_keys`.
        channel_layer_encryption_keys: Vec<Secret> = SECRETS("");
        /// Its `expiry`, for `core`: how long a message may wait. Encrypted ones that are 10 seconds older are refused.
        channel_layer_expiry: Duration = SECONDS("60");
        /// Its `group_expiry`, for `core`: memberships are renewed well before.
        channel_layer_group_expiry: Duration = SECONDS("86400");
        /// Which groups the connections of an endpoint join. `{id}` is the id of the path (`chat`, `tracking`), or else the
        /// user's.
        channel_layer_groups: Vec<GroupPattern> =
            GROUPS("notifications=notifications_{id},chat=chat_{id},driver_orders=driver_orders_{id}");
        /// Types of events that clients know under another name.
        channel_layer_renames: Vec<Rename> = RENAMES("typing_indicator=typing");
        /// Queues of `core` that this node reads, spread over the servers. Django lets 100 messages wait in each.
        channel_layer_queues: u32 = COUNT("8");
        /// Whether our own events are sent to the same groups, for Django consumers that are still there.
        channel_layer_out: bool = SWITCH("false");
        /// Its `capacity`, for `core` and what is sent.
        channel_layer_capacity: u32 = QUEUE_LENGTH("100");
    }

    "Limits and intervals" {
        /// Longest message that a client may send.
        max_message_bytes: Option<usize> = BYTES_OR_OFF("65536");
        /// Connections that one user may have on a node.
        max_connections_per_user: Option<u32> = COUNT_OR_OFF("20");
        /// Connections that one address may have on a node.
        max_connections_per_ip: Option<u32> = COUNT_OR_OFF("0");
        /// Messages a second that one connection may send in the long run.
        message_rate: Option<u32> = COUNT_OR_OFF("20");
        /// Messages that one connection may send at once.
        message_burst: Option<u32> = COUNT_OR_OFF("50");
        /// Login attempts a minute for each name, and for each address.
        login_rate: Option<u32> = COUNT_OR_OFF("10");
        /// Time that a client has to complete the handshake.
        handshake_timeout: Option<Duration> = SECONDS_OR_OFF("10");
        /// Time between two pings of a connection.
        heartbeat_interval: Option<Duration> = SECONDS_OR_OFF("25");
        /// Time that a client has to answer a ping.
        heartbeat_timeout: Option<Duration> = SECONDS_OR_OFF("10");
        /// How soon a live connection feels a logout, a deactivated user, a lost group or membership.
        recheck_interval: Option<Duration> = SECONDS_OR_OFF("5");
        /// Bytes that may wait for one slow reader before it is cut off.
        outbound_queue_bytes: Option<usize> = BYTES_OR_OFF("1048576");
        /// Time over which connections are closed at shutdown; `0` closes all at once.
        drain_timeout: Duration = SECONDS_OR_ZERO("30");
    }

    "Hooks" {
        /// Where the back end answers what `docs/hooks.md` asks, such as `http://127.0.0.1:8000/holodrive/hooks/`. None:
        /// nothing is asked.
        hooks_url: Option<String> = HTTP_URL("");
        /// Signs what the back end is asked; it must know the same. Required with `HOOKS_URL`.
        hooks_secret: Option<Secret> = OPTIONAL_SECRET("");
        /// The hooks that are on.
        hooks: Vec<HookName> =
            HOOKS("driver_orders,chat_access,chat_message,read_message,mark_as_read,connected,disconnected,push");
        /// Time that the back end has to answer one attempt.
        hooks_timeout: Duration = SECONDS("5");
        /// Further attempts after one that failed.
        hooks_retries: u32 = RETRIES("2");
    }

    "Push" {
        /// How long an offer may be on its way to a connected driver's device before the device is told by push; a driver who
        /// is not connected is told at once.
        push_after: Duration = SECONDS_OR_ZERO("3");
        /// The file with the key of a Google service account that may send through Firebase Cloud Messaging. None: nothing is sent
        /// by FCM.
        fcm_credentials: Option<PathBuf> = OPTIONAL_FILE("");
        /// Where FCM is.
        fcm_url: String = REQUIRED_HTTP_URL("https://fcm.googleapis.com");
        /// The file with Apple's key for push notifications (`AuthKey_….p8`). None: nothing is sent by APNs.
        apns_key: Option<PathBuf> = OPTIONAL_FILE("");
        /// Its key id, of 10 characters. Required with `APNS_KEY`.
        apns_key_id: Option<String> = OPTIONAL_TEXT("");
        /// The id of the developer team. Required with `APNS_KEY`.
        apns_team_id: Option<String> = OPTIONAL_TEXT("");
        /// The bundle id of the app. Required with `APNS_KEY`.
        apns_topic: Option<String> = OPTIONAL_TEXT("");
        /// Where APNs is; `https://api.sandbox.push.apple.com` for apps that are being developed.
        apns_url: String = REQUIRED_HTTP_URL("https://api.push.apple.com");
    }

    "Logging" {
        /// What is logged: a level, or directives such as `info,holodrive::dispatch=debug`.
        log_level: String = LOG_FILTER("info");
        /// How log lines look: `text` for people, `json` for machines.
        log_format: LogFormat = LOG_FORMAT("text");
    }
}
