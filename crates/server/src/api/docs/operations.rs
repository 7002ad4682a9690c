//! The table of HTTP calls.

use holodrive_protocol::{
    Order, OrderEvent, OrderStatus, UserId,
    chat::{ChatMessage, Conversation},
    http::{
        AccessToken, Alive, AssignOrder, Candidates, CreateConversation, CreateNotification, CreateOrder, Device,
        DriverOrders, DriverVehicle, Login, Me, NotificationsCreated, Page, ReadAll, Readiness, RefreshToken,
        RegisterDevice, SendMessage, SetDriverLocation, SetDriverStatus, SetDriverVehicle, StartTrip, TokenPair,
        VerifyToken,
    },
    notifications::{DeliveryStep, Notification, NotificationStatus},
};
use serde_json::{Map, Value};

use super::operation::{
    Access::{Anyone, User, UserOrBackend},
    Operation,
};

/// A name for what belongs together, and its calls.
pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) operations: Vec<Operation>,
}

/// Every call, in the order in which a newcomer meets them.
pub(super) fn groups() -> Vec<Group> {
    let group = |name, description, operations| Group { name, description, operations };
    vec![
        group("Accounts", "Tokens, sessions and who is asking.", accounts()),
        group("Orders", "Rides, for riders and staff.", orders()),
        group("Driver", "Offers and trips, for drivers.", driver()),
        group("Conversations", "Chat between rider, driver and support.", conversations()),
        group("Notifications", "What users are told.", notifications()),
        group("Devices", "Phones that are told of an offer by push while their app sleeps.", devices()),
        group("Service", "Health, metrics and these documents.", service()),
    ]
}

fn accounts() -> Vec<Operation> {
    vec![
        Operation::post("/api/token/", "Log in for tokens")
            .by(Anyone, "The name field is called as AUTH_LOGIN_FIELD says; a field's problems also stand at the top.")
            .takes::<Login>()
            .answers::<TokenPair>(200, "A refresh and an access token")
            .refuses(&[401, 429, 503]),
        Operation::post("/api/token/refresh/", "Get a new access token")
            .by(Anyone, "")
            .takes::<RefreshToken>()
            .answers::<AccessToken>(200, "An access token")
            .refuses(&[401, 503]),
        Operation::post("/api/token/verify/", "Check a token of any type")
            .by(Anyone, "")
            .takes::<VerifyToken>()
            .answers::<Map<String, Value>>(200, "It is genuine and not over")
            .refuses(&[401]),
        Operation::post("/api/session/", "Log in for a session")
            .by(
                Anyone,
                "Sets Django's session cookie and a new CSRF cookie. A browser must come from an allowed Origin.",
            )
            .takes::<Login>()
            .answers::<Me>(200, "Who logged in")
            .refuses(&[401, 403, 429, 503]),
        Operation::delete("/api/session/", "Log out")
            .by(User, "Ends the session of the cookie; its sockets are closed.")
            .answers_nothing("There is no session any more"),
        Operation::get("/api/me/", "Who am I").answers::<Me>(200, "The user"),
    ]
}

fn orders() -> Vec<Operation> {
    vec![
        Operation::post("/api/orders/", "Order a ride")
            .by(UserOrBackend, "Any user for himself; staff and back ends for `rider_id`.")
            .takes::<CreateOrder>()
            .answers::<Order>(201, "The order; the search for a driver has begun, or does so before `pickup_at`"),
        Operation::get("/api/orders/", "List orders")
            .by(User, "Those that one rides or drives, newest first; staff see all.")
            .query::<OrderStatus>("status", "Only orders that stand there.")
            .paged()
            .answers::<Page<Order>>(200, "One page"),
        Operation::get("/api/orders/{id}/", "Show an order")
            .by(User, "Its rider, its driver, staff.")
            .answers::<Order>(200, "The order"),
        Operation::get("/api/orders/{id}/events/", "Show an order's history")
            .by(User, "Its rider, its driver, staff. Staff also see in `considered` who came into question for an offer, and why he was not asked, and by which ways a driver was told by push.")
            .paged()
            .answers::<Page<OrderEvent>>(200, "One page, oldest first"),
        Operation::get("/api/orders/{id}/candidates/", "Show who comes into question for an order")
            .by(UserOrBackend, "Staff and back ends. The drivers near an order that nobody has, and why each is or is not asked.")
            .answers::<Candidates>(200, "At this moment")
            .refuses(&[409]),
        Operation::post("/api/orders/{id}/cancel/", "Cancel an order")
            .by(User, "Its rider, staff.")
            .answers::<Order>(200, "The order after the step"),
        Operation::post("/api/orders/{id}/assign/", "Offer an order to a driver")
            .by(UserOrBackend, "Staff and back ends; whatever radius, cool-down and the limit of offers say.")
            .takes::<AssignOrder>()
            .answers::<Order>(200, "The order, offered to him"),
        Operation::post("/api/orders/{id}/unassign/", "Take an order away from its driver")
            .by(UserOrBackend, "Staff and back ends, before the trip starts; the order searches again.")
            .answers::<Order>(200, "The order after the step"),
        Operation::post("/api/orders/{id}/complete/", "Complete a trip for its driver")
            .by(UserOrBackend, "Staff and back ends, for a driver who cannot. His sockets get `order_cancelled`.")
            .answers::<Order>(200, "The order after the step"),
    ]
}

fn driver() -> Vec<Operation> {
    let step = |path, summary| {
        Operation::post(path, summary)
            .by(User, "The driver. 409 is `offer_expired` with its `reason`, or `invalid_transition`.")
            .answers::<Order>(200, "The order after the step")
    };
    vec![
        Operation::get("/api/driver/orders/", "Poll for offers")
            .by(User, "Drivers. What was returned counts as delivered.")
            .answers::<DriverOrders>(200, "Live offers, and the trip"),
        step("/api/driver/orders/{id}/accept/", "Accept an offer"),
        step("/api/driver/orders/{id}/decline/", "Decline an offer"),
        step("/api/driver/orders/{id}/release/", "Give an accepted order back"),
        step("/api/driver/orders/{id}/arrive/", "Be at the pickup"),
        Operation::post("/api/driver/orders/{id}/start/", "Start the trip")
            .by(
                User,
                "The driver. Where `ORDER_START_PIN` is on with the rider's `pin`: 409 is `wrong_pin` with `attempts_left`, or \
                 `invalid_transition`; 429 after five wrong ones in ten minutes.",
            )
            .takes::<StartTrip>()
            .answers::<Order>(200, "The order after the step")
            .refuses(&[429]),
        step("/api/driver/orders/{id}/complete/", "Complete the trip"),
        Operation::put("/api/driver/status/", "Go online or offline")
            .by(User, "Drivers.")
            .takes::<SetDriverStatus>()
            .answers_nothing("It counts"),
        Operation::put("/api/driver/location/", "Tell where one is")
            .by(User, "Drivers.")
            .takes::<SetDriverLocation>()
            .answers_nothing("It counts"),
        Operation::get("/api/drivers/{id}/vehicle/", "Show what a driver drives")
            .by(UserOrBackend, "Staff and back ends.")
            .answers::<DriverVehicle>(200, "The vehicle; without classes and seats where nobody said"),
        Operation::put("/api/drivers/{id}/vehicle/", "Say what a driver drives")
            .by(UserOrBackend, "Staff and back ends. He is then offered orders that ask for such a vehicle, too.")
            .takes::<SetDriverVehicle>()
            .answers::<DriverVehicle>(200, "The vehicle"),
    ]
}

fn conversations() -> Vec<Operation> {
    vec![
        Operation::post("/api/conversations/", "Open a conversation")
            .by(UserOrBackend, "With support: any user. With `participant_ids`: staff and back ends.")
            .takes::<CreateConversation>()
            .answers::<Conversation>(200, "The open support conversation that the user has already")
            .answers::<Conversation>(201, "A new conversation"),
        Operation::get("/api/conversations/", "List conversations")
            .by(User, "Those that one takes part in, newest first.")
            .paged()
            .answers::<Page<Conversation>>(200, "One page"),
        Operation::get("/api/conversations/{id}/messages/", "Read messages")
            .by(User, "Participants, staff.")
            .query::<i64>("before", "Only messages with a lower id.")
            .query::<i64>("after", "Only messages with a higher id.")
            .paged()
            .answers::<Page<ChatMessage>>(200, "One page, newest first"),
        Operation::post("/api/conversations/{id}/messages/", "Send a message")
            .by(User, "Participants, staff.")
            .takes::<SendMessage>()
            .answers::<ChatMessage>(200, "The first message that was sent with this `client_id`")
            .answers::<ChatMessage>(201, "The message"),
    ]
}

fn notifications() -> Vec<Operation> {
    vec![
        Operation::post("/api/notifications/", "Notify users")
            .by(UserOrBackend, "Staff and back ends.")
            .takes::<CreateNotification>()
            .answers::<NotificationsCreated>(201, "They are stored, and on their way"),
        Operation::get("/api/notifications/", "List notifications")
            .by(User, "One's own, newest first.")
            .query::<NotificationStatus>("status", "Only unread ones, or only those that were read.")
            .paged()
            .answers::<Page<Notification>>(200, "One page"),
        Operation::post("/api/notifications/{id}/read/", "Mark a notification as read")
            .by(User, "One's own.")
            .answers::<Notification>(200, "The notification"),
        Operation::post("/api/notifications/read-all/", "Mark all notifications as read")
            .by(User, "One's own.")
            .answers::<ReadAll>(200, "How many were unread"),
        Operation::get("/api/notifications/{id}/deliveries/", "Show how far a notification has come")
            .by(
                UserOrBackend,
                "Staff and back ends. The first delivery to a device counts; one that no device confirmed is told once \
                its connection has ended.",
            )
            .answers::<Page<DeliveryStep>>(200, "All steps, oldest first"),
    ]
}

fn devices() -> Vec<Operation> {
    vec![
        Operation::put("/api/devices/", "Register a device")
            .by(
                UserOrBackend,
                "One's own, after each login and whenever FCM or APNs gives the app another token; staff and back ends for \
                 `user_id`. A device that another user had is this user's from now on. Logging out removes none: the app \
                 does. A user has ten at most; the one that was registered longest ago goes.",
            )
            .takes::<RegisterDevice>()
            .answers::<Device>(200, "The device; its token is not shown again"),
        Operation::get("/api/devices/", "List devices")
            .by(UserOrBackend, "One's own; staff and back ends with `user_id`.")
            .query::<UserId>("user_id", "For staff and back ends: whose devices.")
            .answers::<Page<Device>>(200, "All of them, the latest one first"),
        Operation::delete("/api/devices/{id}/", "Remove a device")
            .by(UserOrBackend, "One's own; staff and back ends anybody's.")
            .answers_nothing("It gets no more pushes"),
    ]
}

fn service() -> Vec<Operation> {
    let open = |path, summary| Operation::get(path, summary).by(Anyone, "");
    vec![
        open("/healthz", "Is the process alive").answers::<Alive>(200, "It is"),
        open("/readyz", "Is the node ready")
            .answers::<Readiness>(200, "It is")
            .answers::<Readiness>(503, "It is not: send nobody here"),
        open("/metrics", "Metrics for Prometheus").answers_text("application/openmetrics-text", "All metrics"),
        open("/api/openapi.json", "This document").answers::<Map<String, Value>>(200, "OpenAPI 3.1"),
        open("/api/asyncapi.json", "The document of the sockets").answers::<Map<String, Value>>(200, "AsyncAPI 3.0"),
        open("/api/docs", "Both documents to read").answers_text("text/html", "A page"),
    ]
}
