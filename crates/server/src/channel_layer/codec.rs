//! From what `channels_redis` writes to what clients read.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use serde_json::{Map, Value};

use super::{
    fernet::{Age, Fernet},
    msgpack,
    settings::{Backend, Rename, Serializer},
};
use crate::{
    clock::SharedClock,
    config::Config,
    gateway::{Frame, TransientKey},
};

/// Random bytes in front of each message of the layer `core`, so that no two are the same member of a sorted set.
const RANDOM_BYTES: usize = 12;
/// Longer messages are not read.
const MAX_BYTES: usize = 1 << 20;
/// Where the layer `core` says which channels a message is for.
pub(super) const CHANNELS: &str = "__asgi_channel__";
/// What `channels_redis` adds to `expiry` where it limits the age of encrypted messages.
const AGE_MARGIN: Duration = Duration::from_secs(10);

/// What begins our own messages in JSON, and never those of Python.
const JSON_MARK: &[u8] = b" ";

/// Reads and writes messages of one layer.
pub(super) struct Codec {
    backend: Backend,
    serializer: Serializer,
    fernet: Option<Fernet>,
    max_age: u64,
    renames: Vec<Rename>,
    clock: SharedClock,
}

/// A message of Django.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) event: Event,
    /// Whole names of the channels that it is for; none on the layer `pubsub`.
    pub(super) channels: Vec<String>,
    /// Whether a node of our kind sent it: then all nodes know already.
    pub(super) is_ours: bool,
}

/// What the clients of a group are sent.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) frame: Frame,
    /// What a newer event of the same key replaces.
    pub(super) transient: Option<TransientKey>,
}

impl Codec {
    pub(super) fn new(config: &Config, clock: SharedClock) -> Self {
        Self {
            backend: config.channel_layer_backend,
            serializer: config.channel_layer_serializer,
            fernet: Fernet::new(&config.channel_layer_encryption_keys),
            max_age: (config.channel_layer_expiry + AGE_MARGIN).as_secs(),
            renames: config.channel_layer_renames.clone(),
            clock,
        }
    }

    /// Reads what stands in Redis; `None` where it is no message of this layer with these keys.
    pub(super) fn decode(&self, bytes: &[u8]) -> Option<Message> {
        if bytes.len() > MAX_BYTES {
            return None;
        }
        let body = match self.backend {
            Backend::Core => bytes.get(RANDOM_BYTES..)?,
            Backend::Pubsub => bytes,
        };
        match &self.fernet {
            Some(fernet) => self.read(&fernet.open(body, self.age())?),
            None => self.read(body),
        }
    }

    fn read(&self, body: &[u8]) -> Option<Message> {
        let Value::Object(mut event) = self.parse(body)? else { return None };
        let channels = channels(event.remove(CHANNELS))?;
        self.rename(&mut event);
        Some(Message { event: Event::new(&event), channels, is_ours: self.is_marked(body) })
    }

    /// Writes an event as it is to stand in Redis.
    pub(super) fn encode(&self, event: &Map<String, Value>) -> Option<Vec<u8>> {
        let mut body = match self.serializer {
            Serializer::Msgpack => msgpack::write_marked(event)?,
            Serializer::Json => [JSON_MARK, &serde_json::to_vec(event).ok()?].concat(),
        };
        if let Some(fernet) = &self.fernet {
            body = fernet.seal(&body, self.age().now)?.into_bytes();
        }
        Some(match self.backend {
            Backend::Core => [&rand::random::<[u8; RANDOM_BYTES]>()[..], &body].concat(),
            Backend::Pubsub => body,
        })
    }

    fn is_marked(&self, body: &[u8]) -> bool {
        match self.serializer {
            Serializer::Msgpack => msgpack::is_marked(body),
            Serializer::Json => body.starts_with(JSON_MARK),
        }
    }

    fn parse(&self, body: &[u8]) -> Option<Value> {
        match self.serializer {
            Serializer::Msgpack => msgpack::read(body),
            Serializer::Json => serde_json::from_slice(body).ok(),
        }
    }

    fn age(&self) -> Age {
        let limit = (self.backend == Backend::Core).then_some(self.max_age);
        Age { now: u64::try_from(self.clock.now().as_micros() / 1_000_000).unwrap_or_default(), limit }
    }

    fn rename(&self, event: &mut Map<String, Value>) {
        if let Some(Value::String(kind)) = event.get_mut("type")
            && let Some(other) = self.renames.iter().find_map(|rename| rename.apply(kind))
        {
            other.clone_into(kind);
        }
    }
}

impl Event {
    fn new(event: &Map<String, Value>) -> Self {
        Self { frame: Frame::json(event), transient: transient_key(event) }
    }
}

/// Who types matters only while it is new, and only the newest that is known of each.
fn transient_key(event: &Map<String, Value>) -> Option<TransientKey> {
    let who = ["user_id", "user"].iter().find_map(|name| event.get(*name))?;
    (event.get("type")? == "typing").then(|| {
        let mut hasher = DefaultHasher::new();
        who.to_string().hash(&mut hasher);
        hasher.finish().cast_signed()
    })
}

/// A list of names from `group_send`, one name or none from `send`.
fn channels(value: Option<Value>) -> Option<Vec<String>> {
    let name = |value| if let Value::String(name) = value { Some(name) } else { None };
    match value {
        None => Some(Vec::new()),
        Some(Value::Array(names)) => names.into_iter().map(name).collect(),
        Some(other) => Some(vec![name(other)?]),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use base64::{Engine, engine::general_purpose::STANDARD};
    use holodrive_protocol::Timestamp;
    use proptest::{collection::vec, prelude::*};
    use serde_json::json;

    use super::{super::tests::vectors, *};
    use crate::{clock::ManualClock, gateway::testing::message_of};

    fn codec(settings: &[(&str, &str)], now: i64) -> Codec {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::for_tests(folder.path(), settings).unwrap();
        Codec::new(&config, Arc::new(ManualClock::at(Timestamp::from_micros(now * 1_000_000))))
    }

    /// As the project of a vector is configured; tokens are made at the time of the vector.
    fn codec_of(case: &Value) -> Codec {
        let config = &case["config"];
        codec(
            &[
                ("CHANNEL_LAYER_BACKEND", case["layer"].as_str().unwrap()),
                ("CHANNEL_LAYER_SERIALIZER", config["serializer_format"].as_str().unwrap_or("msgpack")),
                ("CHANNEL_LAYER_ENCRYPTION_KEYS", config["symmetric_encryption_keys"][0].as_str().unwrap_or("")),
            ],
            1_795_312_945,
        )
    }

    #[test]
    fn what_django_wrote_is_read() {
        let cases = vectors();
        for case in cases["messages"].as_array().unwrap() {
            let raw = STANDARD.decode(case["raw_b64"].as_str().unwrap()).unwrap();
            let message = codec_of(case).decode(&raw).unwrap_or_else(|| panic!("{case}"));
            assert_eq!(message_of(&message.event.frame), case["expect"]["message"], "{case}");
            let expected = match &case["expect"]["asgi_channel"] {
                Value::String(name) => json!([name]),
                Value::Null => json!([]),
                names => names.clone(),
            };
            assert_eq!(json!(message.channels), expected, "{case}");
            assert!(!message.is_ours);
            let again = codec_of(case).encode(case["expect"]["message"].as_object().unwrap()).unwrap();
            let again = codec_of(case).decode(&again).unwrap();
            assert!(again.is_ours && again.event.frame == message.event.frame, "{case}");
            (0..raw.len()).for_each(|length| assert!(codec_of(case).decode(&raw[..length]).is_none()));
        }
    }

    #[test]
    fn types_are_renamed() {
        let codec = codec(&[("CHANNEL_LAYER_BACKEND", "pubsub"), ("CHANNEL_LAYER_SERIALIZER", "json")], 0);
        let event = codec.decode(br#"{"type": "typing_indicator", "user_id": 5}"#).unwrap().event;
        assert_eq!(message_of(&event.frame), json!({"type": "typing", "user_id": 5}));
        let other = codec.decode(br#"{"type": "typing", "user_id": 6}"#).unwrap().event;
        assert!(event.transient.is_some() && other.transient.is_some() && event.transient != other.transient);
        let ordinary = codec.decode(br#"{"type": "ride.update", "user_id": 5}"#).unwrap().event;
        assert_eq!(ordinary.transient, None);
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let codec = codec(&[("CHANNEL_LAYER_BACKEND", "pubsub"), ("CHANNEL_LAYER_SERIALIZER", "json")], 0);
        let (deep, long) = ("[".repeat(100_000), format!("{{\"a\": \"{}\"}}", "x".repeat(MAX_BYTES)));
        for odd in ["", "7", "[]", "{", "{} {}", &deep, &long, r#"{"__asgi_channel__": 7}"#] {
            assert!(codec.decode(odd.as_bytes()).is_none(), "{}", &odd[..odd.len().min(40)]);
        }
    }

    proptest! {
        #[test]
        fn whatever_stands_in_redis_is_read_or_refused(bytes in vec(any::<u8>(), 0..200), packed in any::<bool>()) {
            let serializer = if packed { "msgpack" } else { "json" };
            let codec = codec(&[("CHANNEL_LAYER_SERIALIZER", serializer)], 0);
            if let Some(message) = codec.decode(&[&[0; RANDOM_BYTES], &[0x81, 0xa1, b'a'][..], &bytes].concat()) {
                prop_assert!(message_of(&message.event.frame).is_object());
            }
            codec.decode(&bytes);
        }
    }
}
