//! The table of sockets.

use holodrive_protocol::{
    chat::{ChatClientMessage, ChatServerMessage},
    driver::{DriverClientMessage, DriverServerMessage},
    notifications::{NotificationsClientMessage, NotificationsServerMessage},
    rider::{RiderServerMessage, TrackingServerMessage},
    socket::{CommonClientMessage, CommonServerMessage},
};

use super::schemas::{SchemaOf, full_schema_of};

/// One socket.
pub(super) struct Channel {
    pub(super) name: &'static str,
    /// As clients write it, with the last slash.
    pub(super) address: &'static str,
    pub(super) summary: &'static str,
    /// Who may connect.
    pub(super) who: &'static str,
    /// Whether `?since=` replays what was missed.
    pub(super) resumes: bool,
    /// What the server sends: an enum with the tag `type`.
    pub(super) server: SchemaOf,
    /// What the client sends, where it sends more than every client does.
    pub(super) client: Option<SchemaOf>,
}

/// What every server sends on every socket.
pub(super) const COMMON_SERVER: SchemaOf = full_schema_of::<CommonServerMessage>;
/// What every client may send on every socket.
pub(super) const COMMON_CLIENT: SchemaOf = full_schema_of::<CommonClientMessage>;

pub(super) const CHANNELS: &[Channel] = &[
    Channel {
        name: "notifications",
        address: "/ws/notifications/",
        summary: "What the user is told",
        who: "Any user.",
        resumes: true,
        server: full_schema_of::<NotificationsServerMessage>,
        client: Some(full_schema_of::<NotificationsClientMessage>),
    },
    Channel {
        name: "chat",
        address: "/ws/chat/{conversation_id}/",
        summary: "One conversation",
        who: "Its participants and staff.",
        resumes: true,
        server: full_schema_of::<ChatServerMessage>,
        client: Some(full_schema_of::<ChatClientMessage>),
    },
    Channel {
        name: "driver_orders",
        address: "/ws/driver/orders/",
        summary: "Offers to a driver",
        who: "Drivers.",
        resumes: false,
        server: full_schema_of::<DriverServerMessage>,
        client: Some(full_schema_of::<DriverClientMessage>),
    },
    Channel {
        name: "rider_orders",
        address: "/ws/rider/orders/",
        summary: "A rider's orders",
        who: "Any user, as a rider.",
        resumes: false,
        server: full_schema_of::<RiderServerMessage>,
        client: None,
    },
    Channel {
        name: "order_tracking",
        address: "/ws/order/{order_id}/tracking/",
        summary: "Where an order's driver is",
        who: "Its rider, its driver, staff.",
        resumes: false,
        server: full_schema_of::<TrackingServerMessage>,
        client: None,
    },
];
