/// A hook, as `HOOKS` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HookName {
    /// A driver's socket opens.
    DriverOrders,
    /// A chat socket opens, or stays open.
    ChatAccess,
    /// Somebody writes.
    ChatMessage,
    /// Somebody has read a message.
    ReadMessage,
    /// Somebody has read a notification.
    MarkAsRead,
    /// A connection was opened.
    Connected,
    /// A connection is gone.
    Disconnected,
    /// An offer has not reached its driver's device.
    Push,
}

impl HookName {
    /// All there are, in the order of their numbers.
    pub const ALL: [Self; 8] = [
        Self::DriverOrders,
        Self::ChatAccess,
        Self::ChatMessage,
        Self::ReadMessage,
        Self::MarkAsRead,
        Self::Connected,
        Self::Disconnected,
        Self::Push,
    ];

    /// Its name in settings, addresses and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DriverOrders => "driver_orders",
            Self::ChatAccess => "chat_access",
            Self::ChatMessage => "chat_message",
            Self::ReadMessage => "read_message",
            Self::MarkAsRead => "mark_as_read",
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
            Self::Push => "push",
        }
    }

    /// The hook of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hook| hook.as_str() == name)
    }
}
