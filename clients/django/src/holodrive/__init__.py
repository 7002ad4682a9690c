"""HoloDrive beside Django: see README.md."""

from .api import (
    aassign,
    acancel_order,
    acreate_conversation,
    acreate_order,
    anotify,
    asend_message,
    assign,
    asupport_conversation,
    cancel_order,
    create_conversation,
    create_order,
    notify,
    send_message,
    support_conversation,
)
from .errors import HoloDriveError
from .results import ChatMessage, Conversation, Order

__version__ = "0.1.0"

__all__ = [
    "ChatMessage",
    "Conversation",
    "HoloDriveError",
    "Order",
    "aassign",
    "acancel_order",
    "acreate_conversation",
    "acreate_order",
    "anotify",
    "asend_message",
    "assign",
    "asupport_conversation",
    "cancel_order",
    "create_conversation",
    "create_order",
    "notify",
    "send_message",
    "support_conversation",
]
