//! Request and response bodies of the HTTP API.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Latitude, Longitude, Order, Timestamp, UserId, chat::ConversationKind, order::Considered,
    socket::OfferExpiredReason,
};

/// Any answer that is not 2xx.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorBody {
    /// For people: what was wrong and what to do.
    pub detail: String,
    /// For programs: what kind of error.
    pub code: String,
    /// For each field that is wrong, why.
    #[serde(default, skip_serializing_if = "std::collections::BTreeMap::is_empty")]
    pub errors: std::collections::BTreeMap<String, Vec<String>>,
    /// With `offer_expired`: why the offer can no longer be accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<OfferExpiredReason>,
    /// With `wrong_pin`: how many more may be tried for now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts_left: Option<u32>,
    /// With `token_not_valid`: what is wrong with the access token.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub messages: Vec<TokenProblem>,
}

/// Why an access token does not count, in SimpleJWT's words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenProblem {
    /// `AccessToken`.
    pub token_class: String,
    /// `access`.
    pub token_type: String,
    /// Such as `Token is expired`.
    pub message: String,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "{T}Page")]
pub struct Page<T> {
    /// The entries.
    pub results: Vec<T>,
    /// What to give as `cursor` for the next page; null on the last.
    pub next: Option<String>,
}

/// `POST /api/token/`. The name field is called as `AUTH_LOGIN_FIELD` says; `username` by default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Login {
    /// The login name.
    pub username: String,
    /// The password.
    pub password: String,
}

/// Answer of `POST /api/token/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenPair {
    /// A SimpleJWT refresh token.
    pub refresh: String,
    /// A SimpleJWT access token.
    pub access: String,
}

/// `POST /api/token/refresh/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RefreshToken {
    /// A SimpleJWT refresh token.
    pub refresh: String,
}

/// Answer of `POST /api/token/refresh/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AccessToken {
    /// A SimpleJWT access token.
    pub access: String,
}

/// `POST /api/token/verify/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VerifyToken {
    /// A SimpleJWT token of any type.
    pub token: String,
}

/// `GET /api/me/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Me {
    /// The user's key.
    pub id: UserId,
    /// The login name.
    pub username: String,
    /// First and last name, or the username where both are empty.
    pub name: String,
    /// The names of the user's groups.
    pub groups: Vec<String>,
    /// Whether the user is staff.
    pub is_staff: bool,
    /// The authority of the sockets: `ws://{websocket_url}/ws/…`.
    pub websocket_url: String,
}

/// `GET /healthz`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Alive {
    /// `ok`.
    pub status: String,
}

/// `GET /readyz`; 503 where the node is not ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Readiness {
    /// Whether new clients are welcome: all of the following.
    pub ready: bool,
    /// Whether the node stays up; false while it is going down.
    pub accepting: bool,
    /// Whether a write came through to the disk.
    pub database: bool,
}

/// `POST /api/orders/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CreateOrder {
    /// The pickup, in words.
    pub address_from: String,
    /// The destination, in words.
    pub address_to: String,
    /// The pickup.
    pub latitude_from: Latitude,
    /// The pickup.
    pub longitude_from: Longitude,
    /// The destination.
    pub latitude_to: Latitude,
    /// The destination.
    pub longitude_to: Longitude,
    /// What is ordered; `pickup` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_type: Option<String>,
    /// When the rider wants to be picked up, at most 30 days ahead; as soon as may be by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pickup_at: Option<Timestamp>,
    /// A class of vehicle, 1 to 50 characters; any by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vehicle_class: Option<String>,
    /// Seats for passengers, 1 to 60; any number by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seats: Option<u32>,
    /// For staff and back ends: who rides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rider_id: Option<UserId>,
}

/// `POST /api/orders/{id}/assign/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AssignOrder {
    /// Who is to be offered the order.
    pub driver_id: UserId,
}

/// `POST /api/driver/orders/{id}/start/`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StartTrip {
    /// The four digits that the rider was shown, where `ORDER_START_PIN` is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<String>,
}

/// `PUT /api/drivers/{id}/vehicle/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SetDriverVehicle {
    /// The classes that it serves: up to 20, each of 1 to 50 characters.
    pub classes: Vec<String>,
    /// Seats for passengers, 1 to 60.
    pub seats: u32,
}

/// Answer of `GET` and `PUT /api/drivers/{id}/vehicle/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DriverVehicle {
    /// Whose it is.
    pub driver_id: UserId,
    /// The classes that it serves.
    pub classes: Vec<String>,
    /// Seats for passengers; null where nobody said what he drives.
    pub seats: Option<u32>,
}

/// Answer of `GET /api/orders/{id}/candidates/`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Candidates {
    /// The nearest first; drivers who are offline are left out.
    pub results: Vec<Considered>,
}

/// `GET /api/driver/orders/`: the poll.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DriverOrders {
    /// The driver's live offers.
    pub results: Vec<Order>,
    /// The order he drives.
    pub trip: Option<Order>,
}

/// Whether a driver takes orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DriverStatus {
    /// He does.
    Online,
    /// He does not; live offers stay his.
    Offline,
}

/// `PUT /api/driver/status/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SetDriverStatus {
    /// The new status.
    pub status: DriverStatus,
}

/// `PUT /api/driver/location/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SetDriverLocation {
    /// Degrees north.
    pub latitude: Latitude,
    /// Degrees east.
    pub longitude: Longitude,
}

/// Who brings a push to a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    /// Firebase Cloud Messaging.
    Fcm,
    /// Apple Push Notification service.
    Apns,
}

impl Platform {
    /// The word on the wire and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fcm => "fcm",
            Self::Apns => "apns",
        }
    }
}

/// `PUT /api/devices/`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RegisterDevice {
    /// Who brings pushes to it.
    pub platform: Platform,
    /// What FCM or APNs gave the app: up to 2,048 visible ASCII characters; hexadecimal digits for APNs.
    pub token: String,
    /// For people, such as `Pixel 9`; up to 100 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// For staff and back ends: whose device it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
}

/// Without the token, which is no matter for logs.
impl std::fmt::Debug for RegisterDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { platform, token: _, name, user_id } = self;
        f.debug_struct("RegisterDevice")
            .field("platform", platform)
            .field("name", name)
            .field("user_id", user_id)
            .finish_non_exhaustive()
    }
}

/// A device that a user registered. Its token is not shown again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Device {
    /// Its key.
    pub id: i64,
    /// Whose it is.
    pub user_id: UserId,
    /// Who brings pushes to it.
    pub platform: Platform,
    /// For people.
    pub name: Option<String>,
    /// When its app last registered it.
    pub registered_at: Timestamp,
}

/// `POST /api/conversations/`: `kind` `support`, or `participant_ids` (staff and back ends).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CreateConversation {
    /// `support` asks for the user's open support conversation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ConversationKind>,
    /// Who takes part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub participant_ids: Option<Vec<UserId>>,
}

/// `POST /api/conversations/{id}/messages/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SendMessage {
    /// 1 to 4,000 characters.
    pub message: String,
    /// Up to 64 characters; sending the same again gets the first message back and stores nothing new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
}

/// `POST /api/notifications/`: exactly one of `user_id`, `user_ids` and `group` says who is notified.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CreateNotification {
    /// One user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// Several users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_ids: Option<Vec<UserId>>,
    /// All active users of a Django group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// A line for the list.
    pub title: String,
    /// The text.
    pub message: String,
    /// What happened.
    pub notification_type: String,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub related_object_type: Option<String>,
    /// The key of what it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub related_object_id: Option<i64>,
    /// What belongs to the type; an object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<serde_json::Value>,
}

/// Answer of `POST /api/notifications/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotificationsCreated {
    /// The keys of the stored notifications, one for each user.
    pub ids: Vec<crate::NotificationId>,
}

/// Answer of `POST /api/notifications/read-all/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReadAll {
    /// How many were unread.
    pub updated: u64,
}
