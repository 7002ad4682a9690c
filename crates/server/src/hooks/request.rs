use bytes::Bytes;
use holodrive_protocol::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::HookName;

/// One request, the same for all its attempts.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) hook: HookName,
    /// The idempotency key.
    pub(super) id: Uuid,
    pub(super) body: Bytes,
}

#[derive(Serialize)]
struct Envelope<'d, D> {
    id: Uuid,
    hook: &'static str,
    sent_at: Timestamp,
    data: &'d D,
}

impl Request {
    pub(super) fn new<D: Serialize>(hook: HookName, data: &D, now: Timestamp) -> serde_json::Result<Self> {
        let id = Uuid::new_v4();
        let envelope = Envelope { id, hook: hook.as_str(), sent_at: now, data };
        Ok(Self { hook, id, body: serde_json::to_vec(&envelope)?.into() })
    }
}
