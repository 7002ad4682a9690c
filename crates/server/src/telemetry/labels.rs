//! The closed sets of values that labels can have, so that no client can make the number of time series grow.

use std::fmt::{self, Write};

use http::Method;
use prometheus_client::encoding::{EncodeLabelValue, LabelValueEncoder};

/// Makes an enum whose values stand in the metrics under the given names.
macro_rules! label {
    ($(#[$attribute:meta])* $visible:vis $name:ident { $($(#[$doc:meta])+ $variant:ident = $text:literal,)+ }) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        $visible enum $name {
            $($(#[$doc])+ $variant,)+
        }

        impl $name {
            pub(super) const ALL: &[Self] = &[$(Self::$variant,)+];

            pub(super) const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }

        impl EncodeLabelValue for $name {
            fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
                encoder.write_str(self.as_str())
            }
        }
    };
}

label! {
    /// How an offer ended.
    pub OfferOutcome {
        /// The driver took it.
        Accepted = "accepted",
        /// The driver declined.
        Declined = "declined",
        /// The driver let the time run out.
        Expired = "expired",
        /// It never reached the driver's device.
        Unreachable = "unreachable",
        /// The order was offered to another driver by hand.
        Reassigned = "reassigned",
        /// The order was cancelled, or its search ended.
        Cancelled = "cancelled",
        /// The driver took another order.
        Busy = "busy",
        /// Another driver took the order.
        Taken = "taken",
    }
}

label! {
    /// What became of a request to the back end.
    pub HookOutcome {
        /// It did what it was asked.
        Done = "done",
        /// It refused.
        Refused = "refused",
        /// It did not answer, or answered rubbish, until the attempts were used up.
        Failed = "failed",
        /// It was not asked, since it had failed too often.
        NotAsked = "not_asked",
    }
}

label! {
    /// What became of an attempt to push.
    pub PushOutcome {
        /// The service took it.
        Sent = "sent",
        /// The device is not reached under its token any more.
        Unregistered = "unregistered",
        /// It was refused for good.
        Failed = "failed",
        /// The service was away, slow or busy: it is tried again while there is time.
        Delayed = "delayed",
    }
}

label! {
    /// What became of a question to the routing service.
    pub RoutingOutcome {
        /// It knows how long it takes.
        Done = "done",
        /// No road leads there.
        NoRoute = "no_route",
        /// It did not answer, or answered rubbish.
        Failed = "failed",
    }
}

label! {
    /// Why a handshake was refused: the `code` of its error message.
    pub(super) Refusal {
        /// No credentials, or bad ones.
        Unauthorized = "unauthorized",
        /// The token had run out.
        TokenExpired = "token_expired",
        /// Not allowed there.
        Forbidden = "forbidden",
        /// Too many connections.
        RateLimited = "rate_limited",
        /// The server is draining.
        GoingAway = "going_away",
        /// The database could not be read.
        Unavailable = "unavailable",
        /// Refused without such a message, for example because of its `Origin`.
        Other = "other",
    }
}

impl Refusal {
    /// The label of an error message's code.
    pub(super) fn of(code: &str) -> Self {
        Self::ALL.iter().copied().find(|refusal| refusal.as_str() == code).unwrap_or(Self::Other)
    }
}

label! {
    /// WebSocket close codes.
    pub(super) CloseCode {
        /// Done.
        Normal = "1000",
        /// The server is draining, or the page is gone.
        GoingAway = "1001",
        /// Not the WebSocket protocol.
        Protocol = "1002",
        /// A close frame without a code.
        NoStatus = "1005",
        /// No close frame at all.
        Abnormal = "1006",
        /// Invalid UTF-8.
        InvalidUtf8 = "1007",
        /// Message too big.
        TooBig = "1009",
        /// The server could not do its part.
        Unavailable = "1011",
        /// Credentials ended.
        Unauthorized = "4401",
        /// Permission ended.
        Forbidden = "4403",
        /// Pings went unanswered.
        IdleTimeout = "4408",
        /// Read too slowly.
        SlowConsumer = "4410",
        /// Too many messages.
        RateLimited = "4429",
        /// Any other code that a client chose.
        Other = "other",
    }
}

impl CloseCode {
    /// The label of a close code.
    pub(super) fn of(code: u16) -> Self {
        let text = code.to_string();
        Self::ALL.iter().copied().find(|known| known.as_str() == text).unwrap_or(Self::Other)
    }
}

label! {
    /// HTTP methods.
    pub(super) HttpMethod {
        /// `GET`
        Get = "GET",
        /// `HEAD`
        Head = "HEAD",
        /// `OPTIONS`
        Options = "OPTIONS",
        /// `POST`
        Post = "POST",
        /// `PUT`
        Put = "PUT",
        /// `PATCH`
        Patch = "PATCH",
        /// `DELETE`
        Delete = "DELETE",
        /// Any other word that a client sent.
        Other = "other",
    }
}

impl HttpMethod {
    /// The label of a request's method.
    pub(super) fn of(method: &Method) -> Self {
        Self::ALL.iter().copied().find(|known| known.as_str() == method.as_str()).unwrap_or(Self::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_make_up_shares_one_label() {
        assert_eq!(CloseCode::of(4410), CloseCode::SlowConsumer);
        assert_eq!(CloseCode::of(4999), CloseCode::Other);
        assert_eq!(HttpMethod::of(&Method::PUT), HttpMethod::Put);
        assert_eq!(HttpMethod::of(&Method::TRACE), HttpMethod::Other);
        assert_eq!(Refusal::of("forbidden"), Refusal::Forbidden);
        assert_eq!(Refusal::of(""), Refusal::Other);
    }
}
