"""From the data of a hook to a method of the handlers, and from what it returns to the answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import router, transaction
from django.dispatch import Signal
from django.utils.functional import Promise
from django.utils.timezone import is_naive, make_aware

from . import signals
from .hooks import Connection, Handlers, NotFound, Offer, Refused, StoredMessage, call
from .models import HookAnswer

JsonObject = dict[str, Any]


@dataclass(frozen=True)
class Route:
    """How a hook is answered, and whether doing so twice would store twice."""

    answer: Callable[[Handlers, Mapping[str, Any]], JsonObject]
    stores: bool


def driver_orders(handlers: Handlers, data: Mapping[str, Any]) -> JsonObject:
    orders = call(handlers.driver_orders, user(data, "driver_id"))
    return {"orders": [dict(order) for order in orders]}


def chat_access(handlers: Handlers, data: Mapping[str, Any]) -> JsonObject:
    """Users who do not exist or are not active are refused without asking."""
    seats = [(seat_key(seat), integer(seat, "conversation_id")) for seat in objects(data, "seats")]
    people = active_users({key for key, _ in seats})
    known = [(place, people[key], conversation) for place, (key, conversation) in enumerate(seats) if key in people]
    verdicts = list(call(handlers.chat_access_many, [(person, conversation) for _, person, conversation in known]))
    if len(verdicts) != len(known):
        raise ValueError(f"chat_access_many answered {len(verdicts)} of {len(known)} seats")
    allowed = [False] * len(seats)
    for (place, _, _), verdict in zip(known, verdicts, strict=True):
        allowed[place] = bool(verdict)
    return {"allowed": allowed}


def chat_message(handlers: Handlers, data: Mapping[str, Any]) -> JsonObject:
    sender, conversation, message = active_user(data), integer(data, "conversation_id"), text(data, "message")
    client_id = data.get("client_id")
    stored = call(handlers.chat_message, sender, conversation, message, client_id)
    if not isinstance(stored, StoredMessage):
        stored = StoredMessage(stored)
    if not is_integer(stored.message_id):
        raise TypeError(f"chat_message must return the integer id of the message, not {stored.message_id!r}")
    tell(signals.message_received, handlers, user=sender, conversation_id=conversation, message_id=stored.message_id,
         message=message, client_id=client_id)
    return {name: value for name, value in vars(stored).items() if value is not None}


def read_message(handlers: Handlers, data: Mapping[str, Any]) -> JsonObject:
    reader, conversation, message = active_user(data), integer(data, "conversation_id"), integer(data, "message_id")
    call(handlers.read_message, reader, conversation, message)
    tell(signals.message_read, handlers, user=reader, conversation_id=conversation, message_id=message)
    return {}


def mark_as_read(handlers: Handlers, data: Mapping[str, Any]) -> JsonObject:
    reader, notification = active_user(data), integer(data, "notification_id")
    call(handlers.mark_as_read, reader, notification)
    tell(signals.notification_read, handlers, user=reader, notification_id=notification)
    return {}


def connected(handlers: Handlers, data: Mapping[str, Any]) -> JsonObject:
    person, connection = user(data), connection_of(data)
    call(handlers.connected, person, connection)
    tell(signals.user_connected, handlers, user=person, connection=connection)
    return {}


def disconnected(handlers: Handlers, data: Mapping[str, Any]) -> JsonObject:
    person, connection = user(data), connection_of(data)
    call(handlers.disconnected, person, connection)
    tell(signals.user_disconnected, handlers, user=person, connection=connection)
    return {}


def push(handlers: Handlers, data: Mapping[str, Any]) -> JsonObject:
    order = data.get("order")
    if not isinstance(order, dict):
        raise invalid("order is no object")
    times = moment(data.get("expires_at")), integer(data, "ttl_seconds"), integer(data, "attempt")
    call(handlers.push, user(data, "driver_id"), Offer(integer(data, "offer_id"), order, *times))
    return {}


ROUTES: Final[Mapping[str, Route]] = {
    "driver_orders": Route(driver_orders, stores=False),
    "chat_access": Route(chat_access, stores=False),
    "chat_message": Route(chat_message, stores=True),
    "read_message": Route(read_message, stores=True),
    "mark_as_read": Route(mark_as_read, stores=True),
    "connected": Route(connected, stores=True),
    "disconnected": Route(disconnected, stores=True),
    "push": Route(push, stores=False),
}


def tell(signal: Signal, handlers: Handlers, **what: Any) -> None:
    """A receiver that fails is logged: the work is done, and asking again would not undo it."""
    database = router.db_for_write(HookAnswer)
    transaction.on_commit(lambda: _send(signal, type(handlers), what), using=database)


def _send(signal: Signal, sender: type[Handlers], what: Mapping[str, Any]) -> None:
    signal.send_robust(sender=sender, **what)


def user(data: Mapping[str, Any], field: str = "user_id") -> AbstractBaseUser:
    """The user whom a field names."""
    users = get_user_model()._default_manager
    try:
        found = users.filter(pk=user_key(data[field])).first()
    except (KeyError, ValueError, TypeError, ValidationError):
        raise invalid(f"{field} is no key of a user") from None
    if found is None:
        raise NotFound("There is no such user.")
    return found


def active_user(data: Mapping[str, Any]) -> AbstractBaseUser:
    """The user, who must be allowed to log in."""
    found = user(data)
    if not found.is_active:
        raise Refused("This user is not active.")
    return found


def active_users(keys: set[Any]) -> dict[Any, AbstractBaseUser]:
    """Those of the users who exist and may log in, by their keys, in one query."""
    found = get_user_model()._default_manager.filter(pk__in=keys)
    return {person.pk: person for person in found if person.is_active}


def seat_key(seat: Mapping[str, Any]) -> Any:
    try:
        return user_key(seat.get("user_id"))
    except (ValueError, TypeError, ValidationError):
        raise invalid("a user_id is no key of a user") from None


def user_key(value: Any) -> Any:
    if not is_integer(value) and not isinstance(value, str):
        raise ValueError(value)
    return get_user_model()._meta.pk.to_python(value)


def is_integer(value: Any) -> bool:
    """Whether it is one that a database can hold."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def integer(data: Mapping[str, Any], field: str) -> int:
    value: Any = data.get(field)
    if not is_integer(value):
        raise invalid(f"{field} is no integer")
    return int(value)


def text(data: Mapping[str, Any], field: str) -> str:
    value = data.get(field)
    if not isinstance(value, str):
        raise invalid(f"{field} is no text")
    return value


def objects(data: Mapping[str, Any], field: str) -> list[JsonObject]:
    value = data.get(field)
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise invalid(f"{field} is no list of objects")
    return value


def moment(value: Any) -> datetime:
    try:
        # Python 3.10 does not know the Z.
        return datetime.fromisoformat(value.replace("Z", "+00:00"))
    except (AttributeError, ValueError):
        raise invalid(f"no moment: {value!r}") from None


def connection_of(data: Mapping[str, Any]) -> Connection:
    object_id = None if data.get("object_id") is None else integer(data, "object_id")
    # An id may be a number: what it says is the server's business.
    connection_id = str(data.get("connection_id"))
    return Connection(connection_id, text(data, "endpoint"), object_id, moment(data.get("at")))


def invalid(detail: str) -> Refused:
    return Refused(detail, "invalid", 400)


def encoded(body: Mapping[str, Any]) -> str:
    """JSON as the server's own: moments with offset and microseconds, decimals as texts."""
    return json.dumps(body, ensure_ascii=False, default=_encoded)


def _encoded(value: Any) -> str:
    if isinstance(value, datetime):
        return (make_aware(value) if is_naive(value) else value).isoformat()
    if isinstance(value, (Decimal, UUID, Promise)):
        return str(value)
    raise TypeError(f"{type(value).__name__} is no JSON")
