//! What every WebSocket of HoloDrive shares.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{OrderId, Timestamp};

/// Why something was refused; the same words in messages, logs and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// No credentials, or credentials that do not count.
    Unauthorized,
    /// The access token ran out: fetch a new one and come back.
    TokenExpired,
    /// The user may not use this endpoint, or there is no such thing for him.
    Forbidden,
    /// The peer stopped answering pings.
    IdleTimeout,
    /// The peer did not read fast enough: reconnect and resume.
    SlowConsumer,
    /// Too many messages or connections.
    RateLimited,
    /// The server is draining: reconnect.
    GoingAway,
    /// The text is not JSON.
    InvalidJson,
    /// The `type` is not one that this endpoint knows.
    UnknownType,
    /// A field is missing or has a wrong type or value.
    InvalidMessage,
    /// There is no such thing for this user.
    NotFound,
    /// A text is longer than allowed.
    TooLong,
    /// The offer can no longer be accepted; `reason` says why.
    OfferExpired,
    /// The server cannot store anything at the moment: try again.
    Unavailable,
}

/// Why an offer can no longer be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OfferExpiredReason {
    /// Its time ran out, or the driver declined it before.
    Expired,
    /// Another driver has the order.
    Taken,
    /// The order was cancelled.
    Cancelled,
    /// The order was given to another driver.
    Reassigned,
    /// It was never offered to this driver.
    NotOffered,
}

/// `{"type":"error",…}`: a message that was refused (the connection stays open), or, with `reconnect`, the last message
/// before a close.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorMessage {
    /// What kind of error.
    pub code: ErrorCode,
    /// For people: what was wrong and what to do.
    pub message: String,
    /// Before a close: whether coming back can help.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reconnect: Option<bool>,
    /// Before a close: milliseconds to wait before coming back, spread at random so that a crowd does not come at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// The order of a refused `accept_order` or `decline_order`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// Why the offer can no longer be accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<OfferExpiredReason>,
}

impl ErrorMessage {
    /// An error that leaves the connection open.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), reconnect: None, retry_after_ms: None, order_id: None, reason: None }
    }
}

/// Messages that the server may send on every socket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum CommonServerMessage {
    /// A message was refused, or the connection is about to be closed.
    Error(ErrorMessage),
    /// The answer to `ping`.
    Pong,
    /// The new credential counts now.
    Authenticated {
        /// When it runs out; null for one that does not.
        expires_at: Option<Timestamp>,
    },
    /// The credential runs out in a minute: send `authenticate`.
    TokenExpiring {
        /// When it runs out.
        expires_at: Timestamp,
    },
    /// The replay that `since` asked for is complete; live messages follow.
    Resumed {
        /// How many messages were replayed.
        count: u64,
    },
}

/// Messages that a client may send on every socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum CommonClientMessage {
    /// Keep-alive; answered by `pong`.
    Ping,
    /// Replaces the credential of the live connection by another access token of the same user.
    Authenticate {
        /// A SimpleJWT access token.
        token: String,
    },
}

/// The messages that one endpoint accepts, apart from the common ones.
pub trait ClientMessage: DeserializeOwned {
    /// The values of `type` that it knows.
    const TYPES: &'static [&'static str];
}

impl ClientMessage for CommonClientMessage {
    const TYPES: &'static [&'static str] = &["ping", "authenticate"];
}

/// Either a message that every endpoint knows or one of this endpoint.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming<M> {
    /// Known everywhere.
    Common(CommonClientMessage),
    /// Known to this endpoint.
    Endpoint(M),
}

/// Reads a text frame; the error is ready to be sent back.
pub fn parse<M: ClientMessage>(text: &str) -> Result<Incoming<M>, ErrorMessage> {
    if let Some((kind, rest)) = leading_type(text) {
        if kind == "ping" && skip_space(rest) == "}" {
            return Ok(Incoming::Common(CommonClientMessage::Ping));
        }
        if let Some(message) = parse_known(kind, text) {
            return message;
        }
    }
    let Envelope { kind } = from_json(text)?;
    parse_known(&kind, text).unwrap_or_else(|| {
        Err(ErrorMessage::new(
            ErrorCode::UnknownType,
            format!("unknown type; expected one of: {}", M::TYPES.join(", ")),
        ))
    })
}

/// The message, where this `type` is a known one.
fn parse_known<M: ClientMessage>(kind: &str, text: &str) -> Option<Result<Incoming<M>, ErrorMessage>> {
    if CommonClientMessage::TYPES.contains(&kind) {
        Some(from_json(text).map(Incoming::Common))
    } else if M::TYPES.contains(&kind) {
        Some(from_json(text).map(Incoming::Endpoint))
    } else {
        None
    }
}

/// The `type` of an object that begins with it, as most do, and what is behind it; whether all of that is sound is not known
/// yet.
fn leading_type(text: &str) -> Option<(&str, &str)> {
    let behind_brace = skip_space(skip_space(text).strip_prefix('{')?);
    let behind_key = skip_space(behind_brace.strip_prefix("\"type\"")?);
    skip_space(behind_key.strip_prefix(':')?).strip_prefix('"')?.split_once('"')
}

/// What JSON allows between its words.
fn skip_space(text: &str) -> &str {
    text.trim_start_matches([' ', '\n', '\r', '\t'])
}

#[derive(Deserialize)]
struct Envelope<'t> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'t, str>,
}

fn from_json<'t, T: Deserialize<'t>>(text: &'t str) -> Result<T, ErrorMessage> {
    // The start alone tells an object from other JSON: serde would take an array for a struct as well.
    let object = skip_space(text).starts_with('{');
    serde_json::from_str(text).map_err(|error| describe(&error)).and_then(|value| {
        if object { Ok(value) } else { Err(ErrorMessage::new(ErrorCode::InvalidMessage, "expected a JSON object")) }
    })
}

fn describe(error: &serde_json::Error) -> ErrorMessage {
    if error.is_data() {
        ErrorMessage::new(ErrorCode::InvalidMessage, format!("invalid message: {error}"))
    } else {
        ErrorMessage::new(ErrorCode::InvalidJson, format!("invalid JSON: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(text: &str) -> Result<CommonClientMessage, ErrorCode> {
        match parse::<CommonClientMessage>(text) {
            Ok(Incoming::Common(message) | Incoming::Endpoint(message)) => Ok(message),
            Err(error) => Err(error.code),
        }
    }

    #[test]
    fn the_type_counts_wherever_it_stands() {
        let authenticate = CommonClientMessage::Authenticate { token: "t".into() };
        for text in [r#"{"type":"authenticate","token":"t"}"#, r#" {"token":"t", "type" : "\u0061uthenticate"}"#] {
            assert_eq!(kind_of(text), Ok(authenticate.clone()), "{text}");
        }
        for text in [
            r#"{"type":"ping"}"#,
            "\n{ \"type\" : \"ping\" }",
            r#"{"type":"ping","more":[1]}"#,
            r#"{"a":1,"type":"ping"}"#,
        ] {
            assert_eq!(kind_of(text), Ok(CommonClientMessage::Ping), "{text}");
        }
    }

    #[test]
    fn what_is_not_sound_is_refused_whatever_it_begins_with() {
        for text in [r#"{"type":"ping""#, r#"{"type":"ping"}}"#, r#"{"type":"ping",}"#, "\u{c}{\"type\":\"ping\"}", ""]
        {
            assert_eq!(kind_of(text), Err(ErrorCode::InvalidJson), "{text}");
        }
        for text in [r#"{"type":"ping","type":"ping"}"#, r#"{"type":"authenticate"}"#, r#"["ping"]"#, "{}"] {
            assert_eq!(kind_of(text), Err(ErrorCode::InvalidMessage), "{text}");
        }
        assert_eq!(kind_of(r#"{"type":"pin\u0067s"}"#), Err(ErrorCode::UnknownType));
        assert_eq!(kind_of(r#"{"type":"pings"}"#), Err(ErrorCode::UnknownType));
    }
}
