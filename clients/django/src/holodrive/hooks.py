"""What the server asks, and who answers: subclass `Handlers` and name the class in `HOLODRIVE["HANDLERS"]`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asgiref.sync import async_to_sync
from django.contrib.auth.base_user import AbstractBaseUser

from .models import Participant


class Refused(Exception):
    """Raised by a handler: the answer is no, for good. 403 and 404 reach the client as such, everything else
    as `invalid_message`."""

    def __init__(self, detail: str, code: str = "forbidden", status: int = 403) -> None:
        super().__init__(detail)
        self.detail, self.code, self.status = detail, code, status


class NotFound(Refused):
    """There is no such thing."""

    def __init__(self, detail: str = "There is no such thing.", code: str = "not_found") -> None:
        super().__init__(detail, code, 404)


@dataclass(frozen=True)
class Hook:
    """One request of the server."""

    id: str
    name: str
    sent_at: datetime | None
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Connection:
    """A connection that was opened or is gone; `object_id` is its conversation or order."""

    id: str
    endpoint: str
    object_id: int | None
    at: datetime


@dataclass(frozen=True)
class StoredMessage:
    """A chat message that was stored. What is None is shown as it was asked."""

    message_id: int
    created_at: datetime | None = None
    sender_name: str | None = None
    is_from_support: bool | None = None
    message: str | None = None


@dataclass(frozen=True)
class Offer:
    """An offer that has not reached its driver's device. `order` is as in `initial_orders`; after `expires_at`, in `ttl_seconds`,
    nobody wants the push any more. `attempt` counts from one."""

    id: int
    order: Mapping[str, Any]
    expires_at: datetime
    ttl_seconds: int
    attempt: int


class Handlers:
    """Answers the hooks. Each method may be `async`. Raise `Refused` or `NotFound` to say no; Django's
    `PermissionDenied`, `Http404`, `DoesNotExist` and `ValidationError` do the same. Any other exception counts as a
    failure, and the server asks again.

    The methods that store something run in a transaction of their own, together with the note that this request was
    answered: a request that comes twice finds the note, and the method does not run again. The server tells all
    connections what was stored; do not `group_send` it as well.

    An instance lives for one request, which is `self.hook`.
    """

    def __init__(self, hook: Hook) -> None:
        self.hook = hook

    def driver_orders(self, driver: AbstractBaseUser) -> Any:
        """Orders (mappings as in `initial_orders`) to show the driver before the server's own. None by default."""
        return []

    def chat_access(self, user: AbstractBaseUser, conversation_id: int) -> Any:
        """Whether this active user may read and write there. By default the server's own rule, on its own tables:
        staff and participants may."""
        if getattr(user, "is_staff", False):
            return True
        return Participant.objects.filter(conversation_id=conversation_id, user_id=user.pk).exists()

    def chat_access_many(self, seats: Sequence[tuple[AbstractBaseUser, int]]) -> Any:
        """The same for up to 100 seats at once, answered in their order: override it where one query can do it."""
        return [call(self.chat_access, user, conversation_id) for user, conversation_id in seats]

    def chat_message(
        self, user: AbstractBaseUser, conversation_id: int, message: str, client_id: str | None
    ) -> Any:
        """Stores a message and returns its id, or a `StoredMessage`. The same `client_id` of the same user must be
        stored once. `self.hook.data` also has `sender_name` and `is_from_support`."""
        raise self.not_implemented()

    def read_message(self, user: AbstractBaseUser, conversation_id: int, message_id: int) -> Any:
        """Stores that the user has read a message."""
        raise self.not_implemented()

    def mark_as_read(self, user: AbstractBaseUser, notification_id: int) -> Any:
        """Stores that the user has read a notification of his."""
        raise self.not_implemented()

    def push(self, driver: AbstractBaseUser, offer: Offer) -> Any:
        """Wakes the app on the driver's phone, so that it connects and finds the offer in `initial_orders`. It may be called twice
        for one offer: give the push a collapse key such as `order-{id}`. An exception has the server ask again."""
        raise self.not_implemented()

    def connected(self, user: AbstractBaseUser, connection: Connection) -> Any:
        """A connection was opened. Nothing by default; the signal `user_connected` follows."""

    def disconnected(self, user: AbstractBaseUser, connection: Connection) -> Any:
        """It is gone. Nothing by default; the signal `user_disconnected` follows."""

    def not_implemented(self) -> NotFound:
        """What the methods say that have no sensible default: the server's tables are the server's to write, and the way to a
        phone is yours."""
        method = f"{type(self).__qualname__}.{self.hook.name}"
        return NotFound(f"{method} is not implemented: write it, or take it out of the server's HOOKS", "not_implemented")


def call(method: Any, *arguments: Any) -> Any:
    """Runs a method of the handlers, whether or not it is `async`."""
    return (async_to_sync(method) if inspect.iscoroutinefunction(method) else method)(*arguments)


__all__ = ["Connection", "Handlers", "Hook", "NotFound", "Offer", "Refused", "StoredMessage", "call"]
