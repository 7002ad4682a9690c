use serde_json::Value;

/// What the real `channels_redis` wrote, and how it judges names.
pub(super) fn vectors() -> Value {
    let all: Value = serde_json::from_str(include_str!("../../tests/data/django_vectors.json")).unwrap();
    all["channel_layer"].clone()
}
