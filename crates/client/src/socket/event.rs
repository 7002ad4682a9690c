//! What a socket tells its owner.

use std::time::Duration;

use holodrive_protocol::socket::ErrorMessage;

/// What happened on a socket.
#[derive(Clone, Debug, PartialEq)]
pub enum Event<S> {
    /// The server has let the client in.
    Connected {
        /// Whether everything missed since the last message comes now. When not, and the connection is not the first
        /// one, read the current state from the API or from the endpoint's first messages.
        resumed: bool,
    },
    /// A message of the endpoint. One that was seen before a reconnect does not come again.
    Message(S),
    /// What was missed has come; live messages follow.
    Resumed {
        /// How many messages the server replayed.
        count: u64,
    },
    /// The server refused a message; the connection stays.
    Refused(ErrorMessage),
    /// The connection is lost. The next try is on its way.
    Disconnected {
        /// For people: why.
        cause: String,
        /// When the next try begins.
        retry_in: Duration,
    },
    /// Coming back cannot help; nothing follows.
    Ended(EndReason),
}

/// Why a socket does not come back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndReason {
    /// There is no credential that the server takes.
    #[error("unauthorized: {0}")]
    Unauthorized(String),
    /// The endpoint is not for this user, or no longer.
    #[error("forbidden: {0}")]
    Forbidden(String),
    /// The server does not want the client back, or does not know the endpoint.
    #[error("refused: {0}")]
    Refused(String),
    /// The server has nothing more to say, as when a tracked trip is over.
    #[error("finished")]
    Finished,
    /// The client closed it.
    #[error("closed")]
    Closed,
}

/// Why a message was not queued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Too many messages wait for the connection: try again after `Connected`.
    #[error("too many messages wait to be sent: try again when the socket is connected")]
    Full,
    /// The socket has ended.
    #[error("the socket has ended")]
    Ended,
    /// The message has no form in JSON.
    #[error("the message cannot be written as JSON: {0}")]
    Invalid(String),
}
