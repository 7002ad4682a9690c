//! The types of the layer's settings, and how their texts are read.

use clap::ValueEnum;

/// Endpoints whose connections may join groups: the names that metrics know them by.
const ENDPOINTS: [&str; 5] = ["notifications", "chat", "driver_orders", "rider_orders", "tracking"];

/// What stands for an id in a [`GroupPattern`].
const ID: &str = "{id}";

/// Which of the two layers of `channels_redis` Django uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Backend {
    /// `channels_redis.core.RedisChannelLayer`
    Core,
    /// `channels_redis.pubsub.RedisPubSubChannelLayer`
    Pubsub,
}

/// How messages are written: `serializer_format` of `channels_redis`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Serializer {
    /// The default of `channels_redis`.
    Msgpack,
    /// JSON text.
    Json,
}

/// Which group the connections of an endpoint join: `chat=chat_{id}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupPattern {
    endpoint: String,
    name: String,
}

impl GroupPattern {
    /// Reads `endpoint=name`, where `{id}` may stand in the name.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (endpoint, name) = text.split_once('=')?;
        let (endpoint, name) = (endpoint.trim(), name.trim());
        let plain = name.replace(ID, "");
        let sound = !name.is_empty() && plain.bytes().all(|b| b.is_ascii_graphic() && !b"{}=".contains(&b));
        (sound && ENDPOINTS.contains(&endpoint)).then(|| Self { endpoint: endpoint.into(), name: name.into() })
    }

    /// The endpoint whose connections join.
    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The group's name for this id.
    pub(super) fn name(&self, id: &str) -> String {
        self.name.replace(ID, id)
    }
}

/// A type of event that clients know under another name: `typing_indicator=typing`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    from: String,
    to: String,
}

impl Rename {
    /// Reads `from=to`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.split_once('=')?;
        let (from, to) = (from.trim(), to.trim());
        (!from.is_empty() && !to.is_empty() && !to.contains('=')).then(|| Self { from: from.into(), to: to.into() })
    }

    /// The other name of this type, where it is the one that is renamed.
    pub(super) fn apply(&self, kind: &str) -> Option<&str> {
        (self.from == kind).then_some(self.to.as_str())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_names_an_endpoint_and_its_group() {
        let pattern = GroupPattern::parse("chat = room.{id}").unwrap();
        assert_eq!((pattern.endpoint(), pattern.name("7")), ("chat", "room.7".to_owned()));
        assert_eq!(GroupPattern::parse("driver_orders=drivers").unwrap().name("7"), "drivers");
        for odd in ["chat", "chat=", "=x", "nothing=x", "chat=a b", "chat={user}", "chat=ü", "chat=a=b", ""] {
            assert_eq!(GroupPattern::parse(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_rename_has_two_names() {
        let rename = Rename::parse("typing_indicator=typing").unwrap();
        assert_eq!((rename.apply("typing_indicator"), rename.apply("typing")), (Some("typing"), None));
        for odd in ["typing", "=typing", "typing=", "a=b=c"] {
            assert_eq!(Rename::parse(odd), None, "{odd}");
        }
    }
}
