//! The key of a user, whatever the type of the user table's primary key.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// Key of a user: Django's integer keys, or a UUID where a custom user model has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UserId {
    /// `AutoField`, `BigAutoField`: a JSON number.
    Int(i64),
    /// `UUIDField`: a JSON string with hyphens.
    Uuid(Uuid),
}

impl std::fmt::Display for UserId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Int(id) => id.fmt(f),
            Self::Uuid(id) => id.fmt(f),
        }
    }
}

/// The text is neither a decimal number in its shortest form nor a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidUserId;

impl std::fmt::Display for InvalidUserId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a user id is a whole number or a UUID")
    }
}

impl std::error::Error for InvalidUserId {}

impl std::str::FromStr for UserId {
    type Err = InvalidUserId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(id) = text.parse::<i64>() {
            return if id.to_string() == text { Ok(Self::Int(id)) } else { Err(InvalidUserId) };
        }
        Uuid::try_parse(text).map(Self::Uuid).map_err(|_| InvalidUserId)
    }
}

impl Serialize for UserId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Int(id) => serializer.serialize_i64(*id),
            Self::Uuid(id) => serializer.collect_str(id),
        }
    }
}

impl<'de> Deserialize<'de> for UserId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Wire {
            Int(i64),
            Text(String),
        }
        match Wire::deserialize(deserializer)? {
            Wire::Int(id) => Ok(Self::Int(id)),
            Wire::Text(text) => text.parse().map_err(de::Error::custom),
        }
    }
}

impl schemars::JsonSchema for UserId {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "UserId".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": ["integer", "string"], "description": "Key of a user: a number, or a UUID where the user model has one"})
    }
}
