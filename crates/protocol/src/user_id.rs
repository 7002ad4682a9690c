//! The primary key of a user, as a Django project may define it.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// A user's primary key: an integer, or a UUID where a custom user model uses one.
///
/// In JSON an integer key is a number and a UUID is its hyphenated text. A decimal text is read as an
/// integer too, because sessions and tokens carry every key as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UserId {
    /// Django's `AutoField` and `BigAutoField`.
    Int(i64),
    /// Django's `UUIDField`.
    Uuid(Uuid),
}

/// The text is neither a canonical decimal integer nor a UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParseUserIdError;

impl fmt::Display for ParseUserIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a user id is a decimal integer or a UUID")
    }
}

impl std::error::Error for ParseUserIdError {}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(id) => id.fmt(f),
            Self::Uuid(id) => id.hyphenated().fmt(f),
        }
    }
}

impl FromStr for UserId {
    type Err = ParseUserIdError;

    /// Reads `5`, `c0ffee00-…` or the 32 hex digits that Django keeps in an SQLite column. Forms that
    /// only some readers accept (`+5`, `05`, ` 5 `, braces) are refused.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<i64>() {
            Ok(id) if id.to_string() == text => Ok(Self::Int(id)),
            _ if matches!(text.len(), 32 | 36) => Uuid::try_parse(text).map(Self::Uuid).map_err(|_| ParseUserIdError),
            _ => Err(ParseUserIdError),
        }
    }
}

impl From<i64> for UserId {
    fn from(id: i64) -> Self {
        Self::Int(id)
    }
}

impl From<Uuid> for UserId {
    fn from(id: Uuid) -> Self {
        Self::Uuid(id)
    }
}

impl Serialize for UserId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Int(id) => serializer.serialize_i64(*id),
            Self::Uuid(id) => serializer.collect_str(&id.hyphenated()),
        }
    }
}

impl<'de> Deserialize<'de> for UserId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UserIdVisitor)
    }
}

struct UserIdVisitor;

impl de::Visitor<'_> for UserIdVisitor {
    type Value = UserId;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a user id: an integer or a UUID")
    }

    fn visit_i64<E: de::Error>(self, id: i64) -> Result<UserId, E> {
        Ok(UserId::Int(id))
    }

    fn visit_u64<E: de::Error>(self, id: u64) -> Result<UserId, E> {
        i64::try_from(id).map(UserId::Int).map_err(E::custom)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<UserId, E> {
        text.parse().map_err(E::custom)
    }
}

impl JsonSchema for UserId {
    fn schema_name() -> Cow<'static, str> {
        "UserId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A user's primary key: an integer, or a UUID where the user model uses one.",
            "anyOf": [
                { "type": "integer", "format": "int64" },
                { "type": "string", "format": "uuid" }
            ]
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const UUID: &str = "6f1c1a52-93a5-4f0e-8d0b-0a4f9f3f2b11";

    #[test]
    fn json_takes_number_decimal_text_and_uuid() {
        for (json, id) in [("5", UserId::Int(5)), ("\"5\"", UserId::Int(5)), ("-7", UserId::Int(-7))] {
            assert_eq!(serde_json::from_str::<UserId>(json).unwrap(), id);
        }
        let id: UserId = serde_json::from_str(&format!("\"{UUID}\"")).unwrap();
        assert_eq!(id, UserId::Uuid(UUID.parse().unwrap()));
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{UUID}\""));
        assert_eq!(serde_json::to_string(&UserId::Int(5)).unwrap(), "5");
    }

    #[test]
    fn text_is_canonical_or_refused() {
        assert_eq!(UUID.replace('-', "").parse(), UUID.parse::<UserId>());
        for text in ["", " 5 ", "+5", "05", "-0", "5.0", "true", "9223372036854775808", "{}"] {
            assert_eq!(text.parse::<UserId>(), Err(ParseUserIdError), "{text}");
        }
        for json in ["true", "null", "5.5", "18446744073709551615", "[5]"] {
            assert!(serde_json::from_str::<UserId>(json).is_err(), "{json}");
        }
    }
}
