"""Sent when a hook has done its work and its transaction has committed. The sender is the class of the handlers."""

from typing import Final

from django.dispatch import Signal

user_connected: Final = Signal()
"""`user`, `connection` (`holodrive.hooks.Connection`)."""
user_disconnected: Final = Signal()
"""`user`, `connection`."""
message_received: Final = Signal()
"""`user`, `conversation_id`, `message_id`, `message`, `client_id`."""
message_read: Final = Signal()
"""`user`, `conversation_id`, `message_id`."""
notification_read: Final = Signal()
"""`user`, `notification_id`."""
