//! What is asked, and what an answer must hold.

use holodrive_protocol::{ConversationId, MessageId, NotificationId, OfferId, Order, Timestamp, UserId};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use super::HookName;

/// The `data` of a request.
pub trait Question: Serialize + Send + Sync + 'static {
    /// What is asked.
    const HOOK: HookName;

    /// What an answer must hold; more is passed over.
    type Answer: DeserializeOwned + Send + 'static;

    /// Whether an answer of the right shape answers this question.
    fn is_answered_by(&self, _: &Self::Answer) -> bool {
        true
    }
}

/// An answer that need not hold anything.
#[derive(Debug, Deserialize)]
pub struct NoAnswer {}

/// A driver's socket opens: what is he shown?
#[derive(Debug, Serialize)]
pub struct DriverOrders {
    /// His user key.
    pub driver_id: UserId,
}

/// The answer to [`DriverOrders`].
#[derive(Debug, Deserialize)]
pub struct ShownOrders {
    /// Shown before the server's own.
    pub orders: Vec<OrderObject>,
}

/// An order of the back end: an object, passed on as it came.
#[derive(Debug, Serialize, Deserialize)]
#[serde(try_from = "Box<RawValue>")]
pub struct OrderObject(Box<RawValue>);

impl TryFrom<Box<RawValue>> for OrderObject {
    type Error = &'static str;

    fn try_from(value: Box<RawValue>) -> Result<Self, Self::Error> {
        if value.get().starts_with('{') { Ok(Self(value)) } else { Err("an order must be an object") }
    }
}

/// Who may be in which conversation?
#[derive(Debug, Serialize)]
pub struct Access {
    /// Up to [`super::SEATS_MAX`].
    pub seats: Vec<Seat>,
}

/// A user in a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Seat {
    /// Where.
    pub conversation_id: ConversationId,
    /// Who.
    pub user_id: UserId,
}

/// The answer to [`Access`].
#[derive(Debug, Deserialize)]
pub struct Allowed {
    /// One for each seat, in the same order.
    pub allowed: Vec<bool>,
}

/// A message is to be stored.
#[derive(Clone, Debug, Serialize)]
pub struct PostMessage {
    /// Where.
    pub conversation_id: ConversationId,
    /// Who writes.
    pub user_id: UserId,
    /// His name.
    pub sender_name: String,
    /// Whether he is staff.
    pub is_from_support: bool,
    /// The text.
    pub message: String,
    /// What the sender gave to recognise it.
    pub client_id: Option<String>,
}

/// The answer to [`PostMessage`]: the message as it is to be shown, as far as it differs.
#[derive(Debug, Deserialize)]
pub struct Posted {
    /// The back end's key.
    pub message_id: MessageId,
    /// When it was stored.
    pub created_at: Option<Timestamp>,
    /// Another name.
    pub sender_name: Option<String>,
    /// Whether it is shown as from support.
    pub is_from_support: Option<bool>,
    /// Another text.
    pub message: Option<String>,
}

/// A message was read.
#[derive(Debug, Serialize)]
pub struct ReadMessage {
    /// Where.
    pub conversation_id: ConversationId,
    /// By whom.
    pub user_id: UserId,
    /// Which one.
    pub message_id: MessageId,
}

/// A notification was read.
#[derive(Debug, Serialize)]
pub struct MarkAsRead {
    /// Which one.
    pub notification_id: NotificationId,
    /// By whom.
    pub user_id: UserId,
}

/// An offer has not reached its driver's device: tell him.
#[derive(Clone, Debug, Serialize)]
pub struct PushOffer {
    /// His user key.
    pub driver_id: UserId,
    /// What is offered.
    pub order: Order,
    /// The offer.
    pub offer_id: OfferId,
    /// Until when he may accept.
    pub expires_at: Timestamp,
    /// Whole seconds until then, at least one.
    pub ttl_seconds: u64,
    /// How often this offer was to be pushed, this time included.
    pub attempt: u32,
}

impl Question for DriverOrders {
    const HOOK: HookName = HookName::DriverOrders;
    type Answer = ShownOrders;
}

impl Question for Access {
    const HOOK: HookName = HookName::ChatAccess;
    type Answer = Allowed;

    fn is_answered_by(&self, answer: &Allowed) -> bool {
        answer.allowed.len() == self.seats.len()
    }
}

impl Question for PostMessage {
    const HOOK: HookName = HookName::ChatMessage;
    type Answer = Posted;
}

impl Question for ReadMessage {
    const HOOK: HookName = HookName::ReadMessage;
    type Answer = NoAnswer;
}

impl Question for PushOffer {
    const HOOK: HookName = HookName::Push;
    type Answer = NoAnswer;
}

impl Question for MarkAsRead {
    const HOOK: HookName = HookName::MarkAsRead;
    type Answer = NoAnswer;
}

/// Reads the body of an answer: an object, or nothing at all.
pub(super) fn read<A: DeserializeOwned>(body: &[u8]) -> Option<A> {
    let body = if body.is_empty() { b"{}" } else { body };
    // serde would take an array for a struct as well.
    let is_object = body.trim_ascii_start().starts_with(b"{");
    if is_object { serde_json::from_slice(body).ok() } else { None }
}
